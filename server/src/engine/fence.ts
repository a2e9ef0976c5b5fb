// Which batches of a service may be written: those of the newest epoch, without a gap.

import type { Batch } from './engine.ts';

/** One for each service; every engine asks it before it writes anything. */
export class Fence {
  #epoch: number;
  #sequence = 0;

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  /** Whether `batch` is the next one; if so it counts as accepted from now on. */
  admit(batch: Batch): boolean {
    if (batch.epoch < this.#epoch || batch.sequence !== this.#sequence + 1) return false;
    this.#sequence = batch.sequence;
    this.#epoch = Math.max(batch.epoch, batch.state.epoch);
    for (const transition of batch.transitions) {
      if (transition.kind === 'epoch') this.#epoch = Math.max(this.#epoch, transition.epoch);
    }
    return true;
  }

  /** An admitted batch was not written after all: nothing passes until the next recovery. */
  shut(): void {
    this.#sequence = Number.NaN;
  }

  /** After a recovery: the next batch has sequence 1. */
  reset(): void {
    this.#sequence = 0;
  }
}
