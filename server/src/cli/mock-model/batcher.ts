// A model that works on batches: requests gather until a batch is full or has waited long enough,
// one batch runs at a time, and all of it is done at once. A batch of n costs base + n × item.

import type { Clock, Timer } from '../../kernel/clock.ts';

export interface BatchSettings {
  readonly sizeMax: number;
  /** How long the first of a batch waits for others. */
  readonly waitMs: number;
  readonly baseMs: number;
  readonly itemMs: number;
}

export class Batcher {
  readonly #settings: BatchSettings;
  readonly #clock: Clock;
  #gathered: (() => void)[] = [];
  #gathering: Timer | undefined;
  #isRunning = false;

  constructor(settings: BatchSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** Resolves when the batch that the request became part of is done. */
  join(): Promise<void> {
    return new Promise((resolve) => {
      this.#gathered.push(resolve);
      this.#gather();
    });
  }

  #gather(): void {
    if (this.#isRunning || this.#gathered.length === 0) return;
    if (this.#gathered.length >= this.#settings.sizeMax) this.#run();
    else this.#gathering ??= this.#clock.after(this.#settings.waitMs, () => this.#run());
  }

  #run(): void {
    this.#gathering?.cancel();
    this.#gathering = undefined;
    this.#isRunning = true;
    const batch = this.#gathered.splice(0, this.#settings.sizeMax);
    this.#clock.after(this.#settings.baseMs + batch.length * this.#settings.itemMs, () => {
      this.#isRunning = false;
      for (const done of batch) done();
      this.#gather();
    });
  }
}
