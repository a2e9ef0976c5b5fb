// How long the latest instances of a service took to become ready. Bounded in memory, and forgets.

const latestMax = 8;
const startsKnownMax = 4096;

export class StartUps {
  readonly #latest: number[] = [];
  /** Starts that have been counted, by instance. */
  readonly #known = new Map<string, number>();

  /** An instance that is ready, by the wall clock. Each start counts once. */
  note(instance: string, startedAt: number, readyAt: number): void {
    if (startedAt <= 0 || readyAt < startedAt || this.#known.get(instance) === readyAt) return;
    if (this.#known.size >= startsKnownMax) this.#known.clear();
    this.#known.set(instance, readyAt);
    this.#latest.push(readyAt - startedAt);
    if (this.#latest.length > latestMax) this.#latest.shift();
  }

  get meanMs(): number | undefined {
    if (this.#latest.length === 0) return undefined;
    return this.#latest.reduce((sum, ms) => sum + ms, 0) / this.#latest.length;
  }

  /** In ms, oldest first. */
  get latestMs(): readonly number[] {
    return this.#latest;
  }
}
