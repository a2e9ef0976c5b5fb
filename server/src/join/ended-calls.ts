// The calls to the model that the server has not heard of yet: it counts them in its metrics and
// learns from them how long work takes. Told in order, each once, also over a lost connection; of
// very many the oldest are given up.

import { type EndedCall, reportedCallsMax, type WorkerReport } from '@sluice/sdk/wire';

const keptMax = 10_000;

export class EndedCalls {
  /** How many were heard of, or given up. */
  #before = 0;
  #calls: EndedCall[] = [];

  add(call: EndedCall): void {
    this.#calls.push(call);
    if (this.#calls.length > keptMax) this.heard(this.#before + this.#calls.length - keptMax);
  }

  /** What the next report tells. */
  next(): Pick<WorkerReport, 'calls' | 'callsBefore'> {
    return { calls: this.#calls.slice(0, reportedCallsMax), callsBefore: this.#before };
  }

  /** The first `count` of all were heard of. */
  heard(count: number): void {
    if (count <= this.#before) return;
    this.#calls = this.#calls.slice(count - this.#before);
    this.#before = count;
  }
}
