// A set of whole numbers kept as ranges: a group that committed a million messages in order, while
// another group still keeps them, costs one range.

export class RangeSet {
  // Ascending, disjoint and never adjacent; both ends inclusive.
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(value: number): boolean {
    const at = this.#rangeFrom(value);
    return at < this.#starts.length && (this.#starts[at] ?? 0) <= value;
  }

  add(value: number): void {
    const at = this.#rangeFrom(value);
    const start = this.#starts[at];
    if (start !== undefined && start <= value) return;
    this.#size += 1;
    const joinsLeft = at > 0 && this.#ends[at - 1] === value - 1;
    const joinsRight = start === value + 1;
    if (joinsLeft && joinsRight) {
      this.#starts.splice(at, 1);
      this.#ends.splice(at - 1, 1);
    } else if (joinsLeft) {
      this.#ends[at - 1] = value;
    } else if (joinsRight) {
      this.#starts[at] = value;
    } else {
      this.#starts.splice(at, 0, value);
      this.#ends.splice(at, 0, value);
    }
  }

  delete(value: number): void {
    const at = this.#rangeFrom(value);
    const start = this.#starts[at];
    const end = this.#ends[at];
    if (start === undefined || end === undefined || start > value) return;
    this.#size -= 1;
    if (start === end) {
      this.#starts.splice(at, 1);
      this.#ends.splice(at, 1);
    } else if (start === value) {
      this.#starts[at] = value + 1;
    } else if (end === value) {
      this.#ends[at] = value - 1;
    } else {
      this.#starts.splice(at + 1, 0, value + 1);
      this.#ends.splice(at, 0, value - 1);
    }
  }

  /** The lowest member that is >= `from`; 0 = none. */
  firstFrom(from: number): number {
    const at = this.#rangeFrom(from);
    const start = this.#starts[at];
    return start === undefined ? 0 : Math.max(start, from);
  }

  /** The first range whose end is not below `value`. */
  #rangeFrom(value: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
