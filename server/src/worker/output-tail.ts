// The latest text of an answer that is being streamed, reported as progress of its request at a
// steady pace: event streams and JSON lines only, since other bodies mean nothing in part.

import { Buffer } from 'node:buffer';
import type { Clock, Timer } from '../kernel/clock.ts';

export const progressBytesMax = 4096;
const reportEveryMs = 1000;

const streamed = /^(text\/event-stream|application\/(x-ndjson|jsonl|json-seq))\b/i;

export class OutputTail {
  readonly #clock: Clock;
  readonly #report: (text: string) => void;
  #tail: Buffer = Buffer.alloc(0);
  #timer: Timer | undefined;
  #fresh = false;

  constructor(clock: Clock, report: (text: string) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** The first piece is reported at once, later ones at most once a second. */
  add(contentType: string | undefined, piece: Uint8Array): void {
    if (contentType === undefined || !streamed.test(contentType)) return;
    const joined = Buffer.concat([this.#tail, piece]);
    this.#tail = joined.subarray(wholeFrom(joined, Math.max(0, joined.length - progressBytesMax)));
    this.#fresh = true;
    if (this.#timer === undefined) this.#flush();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #flush(): void {
    this.#timer = undefined;
    if (!this.#fresh) return;
    this.#fresh = false;
    this.#report(this.#tail.toString('utf8'));
    this.#timer = this.#clock.after(reportEveryMs, () => this.#flush());
  }
}

// Steps over the continuation bytes of a character that the cut has split.
function wholeFrom(bytes: Buffer, start: number): number {
  let at = start;
  while (at > 0 && at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80) at += 1;
  return at;
}
