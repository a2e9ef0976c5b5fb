// What the request API counts for the metrics.

export class RequestMeters {
  readonly #submitted = new Map<string, { accepted: number; repeated: number }>();
  #waiting = 0;

  /** A request was accepted, or answered with the one that its key stands for. */
  submitted(service: string, how: 'accepted' | 'repeated'): void {
    let counts = this.#submitted.get(service);
    if (counts === undefined) {
      counts = { accepted: 0, repeated: 0 };
      this.#submitted.set(service, counts);
    }
    counts[how] += 1;
  }

  /** An answer is held back; the function that comes back says that it no longer is. */
  wait(): () => void {
    this.#waiting += 1;
    return () => {
      this.#waiting -= 1;
    };
  }

  /** Answers held back now. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The service is gone. */
  deleted(service: string): void {
    this.#submitted.delete(service);
  }

  /** Since the start of the process. */
  *counts(): Generator<readonly [service: string, how: string, count: number]> {
    for (const [service, counts] of this.#submitted) {
      for (const [how, count] of Object.entries(counts)) yield [service, how, count];
    }
  }
}
