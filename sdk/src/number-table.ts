// Values by whole numbers that ascend and live shortly: calls under way by their number, leases by
// their fencing token. A Map of these makes a new table for every thousand or so that come and go,
// and V8 links each table to the next: once one is old, all later ones live on with whatever they
// held until the next full collection. That took two thirds of the time of all collections.

/** Slots to begin with, and most; powers of two. */
const slots = { first: 64, most: 8192 } as const;

const free = -1;

export class NumberTable<Value> {
  /** A number is in the slot of its lowest bits; where another one is there, among the others. */
  #numbers: number[] = new Array(slots.first).fill(free);
  #values: (Value | undefined)[] = new Array(slots.first).fill(undefined);
  #filled = 0;
  readonly #others = new Map<number, Value>();

  get size(): number {
    return this.#filled + this.#others.size;
  }

  get(number: number): Value | undefined {
    const slot = this.#slotOf(number);
    return this.#numbers[slot] === number ? this.#values[slot] : this.#others.get(number);
  }

  has(number: number): boolean {
    return this.#numbers[this.#slotOf(number)] === number || this.#others.has(number);
  }

  /** `number` is at least 0. */
  set(number: number, value: Value): void {
    const slot = this.#slotOf(number);
    const there = this.#numbers[slot];
    if (there === number) {
      this.#values[slot] = value;
    } else if (this.#others.has(number)) {
      this.#others.set(number, value);
    } else if (there === free) {
      this.#numbers[slot] = number;
      this.#values[slot] = value;
      this.#filled += 1;
    } else if (this.#numbers.length < slots.most) {
      this.#grow();
      this.set(number, value);
    } else {
      this.#others.set(number, value);
    }
  }

  delete(number: number): void {
    const slot = this.#slotOf(number);
    if (this.#numbers[slot] !== number) {
      this.#others.delete(number);
      return;
    }
    this.#numbers[slot] = free;
    this.#values[slot] = undefined;
    this.#filled -= 1;
  }

  /** In no order; what changes meanwhile does not show. */
  values(): Value[] {
    const all = [...this.#others.values()];
    for (const value of this.#values) if (value !== undefined) all.push(value);
    return all;
  }

  /** By ascending number; what changes meanwhile does not show. */
  entries(): [number, Value][] {
    const all = [...this.#others];
    for (let slot = 0; slot < this.#numbers.length; slot++) {
      const number = this.#numbers[slot];
      if (number === undefined || number === free) continue;
      // A slot with a number has its value.
      all.push([number, this.#values[slot] as Value]);
    }
    return all.sort(([a], [b]) => a - b);
  }

  clear(): void {
    this.#empty(this.#numbers.length);
  }

  #slotOf(number: number): number {
    return number & (this.#numbers.length - 1);
  }

  #grow(): void {
    const all = this.entries();
    this.#empty(this.#numbers.length * 2);
    for (const [number, value] of all) this.set(number, value);
  }

  #empty(length: number): void {
    this.#numbers = new Array(length).fill(free);
    this.#values = new Array(length).fill(undefined);
    this.#filled = 0;
    this.#others.clear();
  }
}
