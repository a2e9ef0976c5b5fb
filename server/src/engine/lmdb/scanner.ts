// The thread that reads many rows for a recovery, as the store sees it. It is there while it is
// needed: a small service needs none.

import { on } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { RowError } from '../codec.ts';
import type { PackedHeads } from './heads.ts';
import type { RowKey } from './keys.ts';
import type { ScanAnswer, ScanTask } from './scan-thread.ts';
import { startThread } from './thread.ts';

/** Answers that the thread may be ahead of what was taken. Measured: with more a start is no
 * quicker, and some MB stay behind. */
const aheadMax = 8;

export class Scanner {
  readonly #folder: string;
  #thread: Worker | undefined;
  #wasUsed = false;
  #holders = 0;
  #lastScan = 0;

  /** `folder`: that of the table. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts the thread ahead of its use; it leaves the table alone until then. */
  warm(): void {
    this.#started();
  }

  /** The thread stays until all that hold it have released it, if it was used at all. */
  hold(): () => Promise<void> {
    this.#holders += 1;
    return async () => {
      this.#holders -= 1;
      if (this.#holders === 0 && this.#wasUsed) await this.stop();
    };
  }

  /** The heads of all rows of the kind of `start`, from there on, as they are in the table when
   * the first are asked for. Throws a `RowError` for the first damaged row. */
  async *heads(start: RowKey): AsyncIterable<PackedHeads> {
    const thread = this.#started();
    this.#wasUsed = true;
    this.#lastScan += 1;
    const scan = this.#lastScan;
    const tell = (task: ScanTask): void => thread.postMessage(task);
    const answers = on(thread, 'message', { close: ['exit'] });
    try {
      tell({ kind: 'begin', scan, start });
      for (let ahead = 0; ahead < aheadMax; ahead += 1) tell({ kind: 'more', scan });
      // An error of the thread rejects.
      for await (const [said] of answers) {
        // Only scan-thread.ts speaks on this channel.
        const answer = said as ScanAnswer;
        if (answer.scan !== scan) continue;
        if ('failure' in answer) throw failureOf(answer);
        if (!answer.isLast) tell({ kind: 'more', scan });
        yield answer.heads;
        if (answer.isLast) return;
      }
      throw new Error('the thread that reads the table has ended');
    } finally {
      tell({ kind: 'leave', scan });
    }
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#thread = undefined;
    this.#wasUsed = false;
    // Comes after an error too.
    const gone = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    const task: ScanTask = { kind: 'end' };
    thread.postMessage(task);
    await gone;
  }

  #started(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const thread = startThread(new URL('scan-thread', import.meta.url), this.#folder);
    this.#thread = thread;
    // Whoever reads hears of it too; the next one gets another thread.
    thread.on('error', () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    return thread;
  }
}

function failureOf({ failure, isDamage }: Extract<ScanAnswer, { failure: string }>): Error {
  return isDamage ? new RowError(failure) : new Error(`the table can't be read: ${failure}`);
}
