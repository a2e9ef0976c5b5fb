// A binary heap of values by time. Entries are not removed when what they stand for has changed:
// whoever takes one checks whether it is still true.

export class TimeHeap<Value> {
  readonly #times: number[] = [];
  readonly #values: Value[] = [];

  get size(): number {
    return this.#times.length;
  }

  /** The earliest time; Infinity when empty. */
  get firstAt(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  get first(): Value | undefined {
    return this.#values[0];
  }

  push(time: number, value: Value): void {
    let at = this.#times.length;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if ((this.#times[parent] ?? 0) <= time) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#times[at] = time;
    this.#values[at] = value;
  }

  /** Takes the earliest value; undefined when empty. */
  pop(): Value | undefined {
    const result = this.#values[0];
    const time = this.#times.pop();
    const value = this.#values.pop();
    if (time === undefined || this.#times.length === 0) return result;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#times.length) break;
      if ((this.#times[child + 1] ?? Number.POSITIVE_INFINITY) < (this.#times[child] ?? 0)) {
        child += 1;
      }
      if ((this.#times[child] ?? 0) >= time) break;
      this.#move(child, at);
      at = child;
    }
    this.#times[at] = time;
    // The value belongs to `time`, which was just taken off the end.
    this.#values[at] = value as Value;
    return result;
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] ?? 0;
    this.#values[to] = this.#values[from] as Value;
  }
}
