// A thread of its own that reads and checks rows of one kind and hands their heads over, so that
// whoever wants a million of them has nothing to do but to take them up.

import { parentPort, workerData } from 'node:worker_threads';
import { RowError } from '../codec.ts';
import { HeadPacker, memoryOf, type PackedHeads } from './heads.ts';
import type { RowKey } from './keys.ts';
import { Table } from './table.ts';

/** `begin`: the rows of the kind of `start`, from there on. `more`: the next of them. `leave`: no
 * more of them. `end`: the thread ends. */
export type ScanTask =
  | { readonly kind: 'begin'; readonly scan: number; readonly start: RowKey }
  | { readonly kind: 'more' | 'leave'; readonly scan: number }
  | { readonly kind: 'end' };

/** One for each `more`, until one is the last or a failure. */
export type ScanAnswer =
  | { readonly scan: number; readonly heads: PackedHeads; readonly isLast: boolean }
  | { readonly scan: number; readonly failure: string; readonly isDamage: boolean };

/** Rows of one answer: what is made of them is gone again soon. */
const answerRows = 512;

type Post = (answer: ScanAnswer, memory: ArrayBuffer[]) => void;

class Scanning {
  readonly #folder: string;
  readonly #post: Post;
  /** Where each scan goes on. */
  readonly #scans = new Map<number, RowKey>();
  #table: Table | undefined;
  #bytes = 0;

  constructor(folder: string, post: Post) {
    this.#folder = folder;
    this.#post = post;
  }

  run(task: Exclude<ScanTask, { readonly kind: 'end' }>): void {
    switch (task.kind) {
      case 'begin':
        this.#scans.set(task.scan, task.start);
        this.#opened().refresh();
        return;
      case 'more':
        this.#more(task.scan);
        return;
      case 'leave':
        this.#scans.delete(task.scan);
        return;
    }
  }

  failed(scan: number, error: unknown): void {
    this.#scans.delete(scan);
    const isDamage = error instanceof RowError;
    const failure = isDamage
      ? error.message
      : error instanceof Error
        ? `${error.stack}`
        : `${error}`;
    this.#post({ scan, failure, isDamage }, []);
  }

  async end(): Promise<void> {
    await this.#table?.close();
  }

  #more(scan: number): void {
    const start = this.#scans.get(scan);
    if (start === undefined) return;
    const packer = new HeadPacker(answerRows, this.#bytes);
    const { next } = this.#opened().scan.step(start, answerRows, (reader, index, sub) => {
      packer.add(reader, index, sub);
    });
    if (next === undefined) this.#scans.delete(scan);
    else this.#scans.set(scan, next);
    // Those that follow will be about as large.
    this.#bytes = Math.ceil(packer.bytes * 1.25);
    const heads = packer.packed();
    this.#post({ scan, heads, isLast: next === undefined }, memoryOf(heads));
  }

  // Not before it is asked: at a start others look at the file first.
  #opened(): Table {
    this.#table ??= new Table({ folder: this.#folder });
    return this.#table;
  }
}

const port = parentPort;
if (port !== null) {
  const scanning = new Scanning(workerData.folder, (answer, memory) => {
    port.postMessage(answer, memory);
  });
  port.on('message', async (task: ScanTask) => {
    if (task.kind === 'end') {
      await scanning.end();
      port.close();
      return;
    }
    try {
      scanning.run(task);
    } catch (error) {
      scanning.failed(task.scan, error);
    }
  });
}
