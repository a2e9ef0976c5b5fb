// How many callbacks are on their way at once, over all services: whoever has some waits here for
// its turn, and turns go round, so that a service with many does not hold up one with a few.

/** Has work to start. */
export interface Starter {
  /** Starts one piece of work; undefined: there is none that may start now. */
  start(): Promise<void> | undefined;
}

export class Gate {
  readonly #runningMax: number;
  readonly #wanting = new Set<Starter>();
  #running = 0;

  constructor(runningMax: number) {
    this.#runningMax = runningMax;
  }

  /** `starter` has work: it is asked to start it, piece by piece, as there is room. */
  want(starter: Starter): void {
    this.#wanting.add(starter);
    this.#offer();
  }

  #offer(): void {
    while (this.#running < this.#runningMax) {
      const [first] = this.#wanting;
      if (first === undefined) return;
      this.#wanting.delete(first);
      const work = first.start();
      if (work === undefined) continue;
      this.#wanting.add(first);
      this.#running++;
      void work.finally(() => {
        this.#running--;
        this.#offer();
      });
    }
  }
}
