// Work that several wait for: begun by the first of them, told to all, given up when the last one
// has left. A few run at a time; the others wait for their turn.

import type { Entry } from './library.ts';

/** Somebody who waits. */
export interface Waiting {
  readonly signal: AbortSignal;
  /** Told how far it is: the end of a sentence, "120 of 410 MB (29 %)". */
  readonly progress: (text: string) => void;
}

export interface JobSteps<Taken> {
  /** Begun once for all who wait. */
  readonly run: (order: Waiting) => Promise<Entry>;
  /** What each of them gets; called for all of them at once, before anything else can happen. */
  readonly take: (entry: Entry) => Taken;
}

interface Waiter {
  readonly progress: (text: string) => void;
  readonly done: (entry: Entry) => void;
  readonly failed: (error: unknown) => void;
}

interface Job {
  readonly waiters: Set<Waiter>;
  readonly giveUp: AbortController;
  /** Never rejects; resolves when nothing is done any more. */
  readonly ended: Promise<void>;
  text: string;
}

/** At a time: their bytes share one line and one disk. */
const runningMax = 4;

export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #turns: (() => void)[] = [];
  #running = 0;
  readonly #stopped = new AbortController();

  /** Rejects as the work does, or with the reason of the signal. */
  async join<Taken>(key: string, waiting: Waiting, steps: JobSteps<Taken>): Promise<Taken> {
    const { signal, progress } = waiting;
    for (;;) {
      signal.throwIfAborted();
      this.#stopped.signal.throwIfAborted();
      const job = this.#jobs.get(key);
      // What nobody wanted any more is still on its way out.
      if (job?.giveUp.signal.aborted !== true) break;
      await job.ended;
    }
    const job = this.#jobs.get(key) ?? this.#begin(key, steps.run);
    if (job.text !== '') progress(job.text);
    return new Promise<Taken>((resolve, reject) => {
      const left = (): void => {
        signal.removeEventListener('abort', leave);
        job.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        progress,
        done: (entry) => {
          left();
          resolve(steps.take(entry));
        },
        failed: (error) => {
          left();
          reject(error);
        },
      };
      const leave = (): void => {
        waiter.failed(signal.reason);
        if (job.waiters.size === 0) job.giveUp.abort(new Error('nobody waits for it any more'));
      };
      signal.addEventListener('abort', leave, { once: true });
      job.waiters.add(waiter);
    });
  }

  /** Gives all of them up and resolves when they have ended. */
  async stop(): Promise<void> {
    const reason = new Error('the server is stopping');
    this.#stopped.abort(reason);
    const jobs = [...this.#jobs.values()];
    for (const { giveUp } of jobs) giveUp.abort(reason);
    await Promise.all(jobs.map(({ ended }) => ended));
  }

  #begin(key: string, run: JobSteps<unknown>['run']): Job {
    const giveUp = new AbortController();
    const waiters = new Set<Waiter>();
    const progress = (text: string): void => {
      job.text = text;
      for (const waiter of waiters) waiter.progress(text);
    };
    // Not before the first one waits.
    const begun = Promise.resolve().then(() => this.#run(run, { signal: giveUp.signal, progress }));
    const ended = begun
      .then(
        (entry) => {
          for (const waiter of [...waiters]) told(waiter, entry);
        },
        (error: unknown) => {
          for (const waiter of [...waiters]) waiter.failed(error);
        },
      )
      .finally(() => this.#jobs.delete(key));
    const job: Job = { waiters, giveUp, ended, text: '' };
    this.#jobs.set(key, job);
    return job;
  }

  async #run(run: JobSteps<unknown>['run'], order: Waiting): Promise<Entry> {
    await this.#turn(order);
    try {
      return await run(order);
    } finally {
      this.#running -= 1;
      this.#turns.shift()?.();
    }
  }

  async #turn({ signal, progress }: Waiting): Promise<void> {
    while (this.#running >= runningMax) {
      progress(`waiting for ${this.#running} other models`);
      await new Promise<void>((resolve) => {
        const go = (): void => {
          signal.removeEventListener('abort', go);
          const at = this.#turns.indexOf(go);
          if (at !== -1) this.#turns.splice(at, 1);
          resolve();
        };
        signal.addEventListener('abort', go, { once: true });
        this.#turns.push(go);
      });
      signal.throwIfAborted();
    }
    this.#running += 1;
  }
}

function told(waiter: Waiter, entry: Entry): void {
  try {
    waiter.done(entry);
  } catch (error) {
    waiter.failed(error);
  }
}
