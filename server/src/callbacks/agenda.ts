// Which callback of a service is tried next: those that are due, target by target in turn, so many
// at a time to each. A receiver that is slow or down holds up nobody but itself.

import { TimeHeap } from '../queue/heap.ts';

/** A callback to make, as small as can be: there may be very many. */
export interface Pending {
  readonly index: number;
  readonly url: string;
  /** `https://host:port` of the address. */
  readonly origin: string;
  /** Which ends are told; empty = every one. */
  readonly events: readonly string[];
  /** How many failed. */
  attempts: number;
  /** Wall clock. */
  dueAt: number;
  state: 'waiting' | 'ready' | 'running' | 'gone';
  /** Nothing is left to do but to say so. */
  isOver: boolean;
}

interface Target {
  readonly ready: TimeHeap<Pending>;
  running: number;
}

export class Agenda {
  readonly #runningMax: number;
  readonly #waiting = new TimeHeap<Pending>();
  readonly #targets = new Map<string, Target>();
  /** Targets that have something ready and room for it. */
  readonly #open = new Set<string>();

  /** `runningMax`: to one target. */
  constructor(runningMax: number) {
    this.#runningMax = runningMax;
  }

  /** When the next one is due, wall clock; Infinity: none waits. */
  get nextAt(): number {
    return this.#waiting.firstAt;
  }

  /** To be tried at `pending.dueAt`. */
  add(pending: Pending): void {
    pending.state = 'waiting';
    this.#waiting.push(pending.dueAt, pending);
  }

  /** What is due becomes ready. */
  arrive(wall: number): void {
    while (this.#waiting.firstAt <= wall) {
      const at = this.#waiting.firstAt;
      const pending = this.#waiting.pop();
      // Entries of a heap are not taken out when what they stand for has changed.
      if (pending?.state !== 'waiting' || pending.dueAt !== at) continue;
      pending.state = 'ready';
      const target = this.#targetOf(pending.origin);
      target.ready.push(at, pending);
      if (target.running < this.#runningMax) this.#open.add(pending.origin);
    }
  }

  /** The next one to try; `done` has to be called for it. */
  take(): Pending | undefined {
    for (const origin of this.#open) {
      // To the end of the line, if there is more.
      this.#open.delete(origin);
      const target = this.#targetOf(origin);
      const pending = nextOf(target);
      if (pending === undefined) this.#tidy(origin, target);
      else {
        pending.state = 'running';
        target.running++;
        if (target.running < this.#runningMax && target.ready.size > 0) this.#open.add(origin);
        return pending;
      }
    }
    return undefined;
  }

  /** An attempt is over. True: nothing else is ready or under way at its target. */
  done({ origin }: Pending): boolean {
    const target = this.#targetOf(origin);
    target.running--;
    if (target.ready.size > 0) this.#open.add(origin);
    return this.#tidy(origin, target);
  }

  #targetOf(origin: string): Target {
    const known = this.#targets.get(origin);
    if (known !== undefined) return known;
    const made: Target = { ready: new TimeHeap(), running: 0 };
    this.#targets.set(origin, made);
    return made;
  }

  #tidy(origin: string, target: Target): boolean {
    if (target.running > 0 || target.ready.size > 0) return false;
    this.#targets.delete(origin);
    return true;
  }
}

function nextOf(target: Target): Pending | undefined {
  for (;;) {
    const pending = target.ready.pop();
    if (pending === undefined || pending.state === 'ready') return pending;
  }
}
