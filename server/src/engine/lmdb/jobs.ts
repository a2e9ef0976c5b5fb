// The line of things to write. What has arrived while a transaction was under way is written
// together by the next one; batches of a service never overtake each other.

import type { AppendOutcome } from '../engine.ts';
import type { Changes } from './changes.ts';
import type { LmdbService } from './service.ts';

/** One thing to write. */
export interface Job {
  /** Jobs of the same service keep their order; one without a service depends on none. */
  readonly service: LmdbService | undefined;
  /** `waiting` while its payload files are being written, `failed` when they found no room. */
  state: 'waiting' | 'ready' | 'failed';
  encode(changes: Changes): void;
  settle(outcome: AppendOutcome): void;
}

export interface JobLineOptions {
  readonly changes: Changes;
  write(changes: Changes): Promise<'durable' | 'full'>;
  /** Called with an error that leaves no other way than to end the process. */
  readonly fatal: (error: unknown) => void;
}

// A transaction takes no further job once it is this large.
const changesMax = 4096;
const bytesMax = 16 * 2 ** 20;

const durable: AppendOutcome = { kind: 'durable' };
const full: AppendOutcome = { kind: 'refused', why: 'full' };
const fenced: AppendOutcome = { kind: 'refused', why: 'fenced' };

export class JobLine {
  readonly #options: JobLineOptions;
  #jobs: Job[] = [];
  #writing = false;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(options: JobLineOptions) {
    this.#options = options;
  }

  add(job: Job): void {
    this.#jobs.push(job);
    this.wake();
  }

  /** Something may have become ready. */
  wake(): void {
    // In a microtask, so that all that is added in one go is written in one go.
    if (!this.#writing) queueMicrotask(() => this.#write());
  }

  /** Resolves when everything added so far and meanwhile is settled. */
  idle(): Promise<void> {
    if (!this.#writing && this.#jobs.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #write(): void {
    if (this.#writing || this.#stopped) return;
    const taken = this.#take();
    if (taken.length === 0) {
      if (this.#jobs.length > 0) return;
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#writing = true;
    void this.#transact(taken);
  }

  async #transact(taken: readonly Job[]): Promise<void> {
    const { changes } = this.#options;
    let outcome: 'durable' | 'full';
    try {
      outcome = await this.#options.write(changes);
    } catch (error) {
      this.#fail(error);
      return;
    }
    const afterwards = changes.clear();
    for (const { service } of taken) {
      service?.transactionOver();
      if (outcome === 'full' && service !== undefined) service.broken = true;
    }
    this.#writing = false;
    if (outcome === 'durable') for (const run of afterwards) run();
    for (const job of taken) job.settle(outcome === 'durable' ? durable : full);
    // The answers above run as microtasks, after the next transaction is on its way.
    this.#write();
  }

  // The jobs of the next transaction, already encoded.
  #take(): readonly Job[] {
    const { changes } = this.#options;
    const taken: Job[] = [];
    const left: Job[] = [];
    const waiting = new Set<LmdbService>();
    for (const job of this.#jobs) {
      const { service } = job;
      if (service?.broken === true) {
        job.settle(fenced);
        continue;
      }
      const hasRoom = changes.count < changesMax && changes.bytes < bytesMax;
      const isNext = service === undefined || !waiting.has(service);
      if (job.state === 'waiting' || !hasRoom || !isNext) {
        if (service !== undefined) waiting.add(service);
        left.push(job);
        continue;
      }
      if (job.state === 'failed') {
        if (service !== undefined) service.broken = true;
        job.settle(full);
        continue;
      }
      try {
        job.encode(changes);
      } catch (error) {
        this.#fail(error);
        return [];
      }
      taken.push(job);
    }
    this.#jobs = left;
    return taken;
  }

  #fail(error: unknown): void {
    this.#stopped = true;
    this.#options.fatal(error);
  }
}
