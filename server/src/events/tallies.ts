// How often each thing has happened to each service since the server was started, and when last:
// what metrics are made of.

import type { EventInfo } from '@sluice/sdk/wire';

export interface Tally {
  readonly service: string;
  readonly kind: EventInfo['kind'];
  readonly what: string;
  /** Since the start of the server. */
  count: number;
  /** Wall clock; of an earlier server too, as far as its events are kept. */
  lastAt: number;
}

/** Words of one service; they are the program's own, so it never comes to that. */
const wordsMax = 200;

export class Tallies {
  readonly #services = new Map<string, Map<string, Tally>>();

  /** An event of an earlier server is not counted. */
  add(event: EventInfo, when: 'now' | 'earlier'): void {
    const { service, kind, what, at } = event;
    const words = this.#services.get(service) ?? new Map<string, Tally>();
    this.#services.set(service, words);
    const word = `${kind} ${what}`;
    const tally = words.get(word) ?? { service, kind, what, count: 0, lastAt: 0 };
    if (words.size >= wordsMax && !words.has(word)) return;
    words.set(word, tally);
    tally.count += when === 'now' ? 1 : 0;
    tally.lastAt = Date.parse(at);
  }

  /** Of other services nothing is told any more. */
  keep(services: ReadonlySet<string>): void {
    for (const service of this.#services.keys()) {
      if (!services.has(service)) this.#services.delete(service);
    }
  }

  *all(): Generator<Readonly<Tally>> {
    for (const words of this.#services.values()) yield* words.values();
  }
}
