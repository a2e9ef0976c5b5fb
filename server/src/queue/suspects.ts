// The suspects of one group that wait, each for an instance of its own, and the consumers that are
// reserved for them: such a one gets nothing new until it is empty.

import { type Offer, Offers } from './offers.ts';
import type { Mark } from './transition.ts';

/** So many instances died with a message before it is suspect. */
export const suspectDeaths = 2;

/** Whether instances died with it so often that it may have no company. */
export function isSuspect(mark: Mark): boolean {
  return mark.deaths >= suspectDeaths;
}

/** Suspects that wait, in the order of rule 8. */
export class Suspects {
  readonly #waiting = new Offers();
  readonly #consumers = new Map<number, number>();
  readonly #indexes = new Map<number, number>();

  get size(): number {
    return this.#waiting.size;
  }

  /** How many of them have a consumer reserved. */
  get claims(): number {
    return this.#consumers.size;
  }

  at(position: number): Offer | undefined {
    return this.#waiting.at(position);
  }

  add(offer: Offer): void {
    this.#waiting.add({ index: offer.index, priority: offer.priority });
  }

  delete(offer: Offer): void {
    this.#waiting.delete(offer);
    this.release(offer.index);
  }

  /** The number of the consumer that is reserved for a suspect; 0 = none. */
  consumerOf(index: number): number {
    return this.#consumers.get(index) ?? 0;
  }

  /** The index of the suspect that a consumer is reserved for; 0 = none. */
  indexOf(consumer: number): number {
    return this.#indexes.get(consumer) ?? 0;
  }

  /** From now on the consumer gets nothing but this. */
  claim(index: number, consumer: number): void {
    this.release(index);
    this.#consumers.set(index, consumer);
    this.#indexes.set(consumer, index);
  }

  release(index: number): void {
    this.#indexes.delete(this.consumerOf(index));
    this.#consumers.delete(index);
  }

  /** Suspects with a consumer reserved, and its number. */
  *reserved(): Iterable<readonly [index: number, consumer: number]> {
    yield* this.#consumers;
  }
}
