// One reader of events as they come. It is never waited for: what it is too slow to take is left
// out, the oldest first, and it is told how many those were.

import type { EventInfo } from '@sluice/sdk/wire';

export interface FollowerOptions {
  /** Whether it wants to know of an event. */
  readonly wants: (event: EventInfo) => boolean;
  /** Most events that wait for it. */
  readonly waitingMax: number;
  /** Its place in the answer when events are left out: none but number and count are its own. */
  readonly missed: (count: number, last: EventInfo) => EventInfo;
}

export class Follower {
  readonly #options: FollowerOptions;
  #waiting: EventInfo[] = [];
  #missed = 0;
  #lastMissed: EventInfo | undefined;
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  offer(event: EventInfo): void {
    if (this.#isOver || !this.#options.wants(event)) return;
    this.#waiting.push(event);
    if (this.#waiting.length > this.#options.waitingMax) {
      this.#lastMissed = this.#waiting.shift();
      this.#missed += 1;
    }
    this.#wake?.();
  }

  /** No more events come; what waits can still be taken. */
  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  /** What waits, in order; waits for something. Empty: it is over. One reader at a time. */
  async take(): Promise<readonly EventInfo[]> {
    while (this.#waiting.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#waiting;
    this.#waiting = [];
    if (this.#lastMissed === undefined) return taken;
    const notice = this.#options.missed(this.#missed, this.#lastMissed);
    this.#missed = 0;
    this.#lastMissed = undefined;
    return [notice, ...taken];
  }
}
