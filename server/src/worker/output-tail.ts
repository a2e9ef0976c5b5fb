// The latest text about running work, reported as progress of its request at a steady pace: the end
// of what it streams, where that is text, or what it said last.

import { Buffer } from 'node:buffer';
import type { Clock, Timer } from '../kernel/clock.ts';

export const progressBytesMax = 4096;
const reportEveryMs = 1000;

const isText = /^(text\/|application\/(json|x-ndjson|jsonl|json-seq))/i;

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

  /** A piece of output. The first is reported at once, later ones at most once a second. */
  add(contentType: string | undefined, piece: Uint8Array): void {
    if (contentType === undefined || !isText.test(contentType)) return;
    const joined = Buffer.concat([this.#tail, piece]);
    this.#tail = joined.subarray(wholeFrom(joined, Math.max(0, joined.length - progressBytesMax)));
    this.#changed();
  }

  /** A text that takes the place of all before. */
  say(text: string): void {
    this.#tail = Buffer.from(text).subarray(0, progressBytesMax);
    this.#changed();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #changed(): void {
    this.#fresh = true;
    if (this.#timer === undefined) this.#flush();
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
