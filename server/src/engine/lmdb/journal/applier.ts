// The thread that brings segments into the table, as the journal sees it. It is started when it is
// needed first: a short life needs none.

import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { startThread } from '../thread.ts';
import type { ApplyAnswer, ApplyTask } from './apply-thread.ts';

export class Applier {
  readonly #folder: string;
  #thread: Worker | undefined;

  /** `folder`: that of the table. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Brings a segment into the table; rejects when it can't be. */
  async apply(task: ApplyTask): Promise<'done' | 'full'> {
    const thread = this.#thread ?? this.#start();
    thread.postMessage(task);
    // An error of the thread rejects.
    const [answer] = await once(thread, 'message');
    // Only apply-thread.ts speaks on this channel.
    const { outcome, error } = answer as ApplyAnswer;
    if (outcome === undefined) throw new Error(`the table can't be written: ${error}`);
    return outcome;
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#thread = undefined;
    const gone = once(thread, 'exit');
    thread.postMessage('end');
    await gone;
  }

  #start(): Worker {
    this.#thread = startThread(new URL('apply-thread', import.meta.url), this.#folder);
    return this.#thread;
  }
}
