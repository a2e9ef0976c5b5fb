// Messages that wait behind a group's cursor: given back, or shown again. In the order of rule 8:
// priority descending, then index ascending.

export interface Offer {
  readonly index: number;
  readonly priority: number;
}

export class Offers {
  readonly #list: Offer[] = [];

  get size(): number {
    return this.#list.length;
  }

  at(position: number): Offer | undefined {
    return this.#list[position];
  }

  add(offer: Offer): void {
    const at = this.#position(offer);
    if (this.#list[at]?.index !== offer.index) this.#list.splice(at, 0, offer);
  }

  delete(offer: Offer): void {
    const at = this.#position(offer);
    if (this.#list[at]?.index === offer.index) this.#list.splice(at, 1);
  }

  /** The first place whose offer does not come before `offer`. */
  #position(offer: Offer): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#list[middle];
      if (other !== undefined && comesBefore(other, offer)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Rule 8. */
export function comesBefore(left: Offer, right: Offer): boolean {
  if (left.priority !== right.priority) return left.priority > right.priority;
  return left.index < right.index;
}
