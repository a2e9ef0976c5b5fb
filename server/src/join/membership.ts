// The membership of one worker in a service on another machine: gets in with patience, says how the
// instance is and hears what the service wants, and knows which refusals are final.

import { type ConnectionState, connectWork, PlatformError, type WorkClient } from '@sluice/sdk';
import type { WorkerReport, WorkTerms } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';

/** What is worth telling whoever watches the worker. */
export type MembershipNews =
  /** The server cannot be reached, or the service is not there for work now. */
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'joined'; readonly agent: string }
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'back'; readonly afterMs: number };

export interface MembershipOptions {
  readonly url: string;
  readonly service: string;
  readonly token: string;
  /** The name of the instance. */
  readonly instance: string;
  readonly agent: string;
  /** How the instance is now. */
  readonly report: () => WorkerReport;
  /** What the service wants has changed, or was heard for the first time. */
  readonly changed: (terms: WorkTerms) => void;
  /** A report has been heard. */
  readonly heard: (report: WorkerReport) => void;
  readonly news: (news: MembershipNews) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** A report goes out when something has changed, looked at so often, or after this. */
const lookMs = 250;
const reportMs = 2000;
/** A report that is not answered for so long is given up and sent anew. */
const answerMs = 15_000;
const retryMs = { first: 500, most: 10_000 } as const;

export class Membership {
  readonly #options: MembershipOptions;
  #client: WorkClient | undefined;
  #terms: WorkTerms | undefined;
  #lostAt: number | undefined;
  #isJoined = false;
  /** Something has happened that makes the next report due now. */
  #isDue = false;
  #wake: (() => void) | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** The connection; only after `join`. */
  get client(): WorkClient {
    if (this.#client === undefined) throw new Error('the worker has not joined');
    return this.#client;
  }

  get terms(): WorkTerms | undefined {
    return this.#terms;
  }

  /**
   * Connects and is accepted, however long the server takes to be there; false: `signal` was
   * aborted before. Rejects with the refusal when it is final: wrong token or scope, no such
   * service, another version of the protocol.
   */
  async join(signal: AbortSignal): Promise<boolean> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        this.#client ??= await this.#connect(signal);
        const report = this.#options.report();
        const terms = await this.#client.report(report, { timeoutMs: answerMs });
        this.#take(terms, report);
        this.#isJoined = true;
        return true;
      } catch (error) {
        if (signal.aborted) break;
        const refusal = asPlatformError(error);
        if (isFinal(refusal)) throw refusal;
        this.#options.news({ kind: 'waiting', reason: refusal.message });
        await this.#pause(this.#delayMs(attempt, refusal), signal);
      }
    }
    return false;
  }

  /** Says how the instance is, until `signal` is aborted. Rejects with a final refusal. */
  async keep(signal: AbortSignal): Promise<void> {
    let told = '';
    let toldAt = this.#options.clock.now().mono;
    while (!signal.aborted) {
      const report = this.#options.report();
      // What has ended is told once, and makes the next report no news.
      const { calls, callsBefore: _, ...state } = report;
      const text = JSON.stringify(state);
      const now = this.#options.clock.now().mono;
      if (this.#isDue || calls.length > 0 || text !== told || now - toldAt >= reportMs) {
        this.#isDue = false;
        told = text;
        toldAt = now;
        await this.#tell(report, signal);
      }
      await this.#pause(lookMs, signal);
    }
  }

  /** The next report is due now. */
  hurry(): void {
    this.#isDue = true;
    this.#wake?.();
  }

  /** Leaves: what is still held goes back uncounted. */
  async close(): Promise<void> {
    await this.#client?.close();
  }

  async #tell(report: WorkerReport, signal: AbortSignal): Promise<void> {
    try {
      this.#take(await this.client.report(report, { signal, timeoutMs: answerMs }), report);
    } catch (error) {
      if (signal.aborted) return;
      const refusal = asPlatformError(error);
      if (isFinal(refusal)) throw refusal;
      // Heard of elsewhere when it is the connection; a stopped service is told once.
      if (this.#lostAt === undefined) {
        this.#options.news({ kind: 'waiting', reason: refusal.message });
      }
    }
  }

  #take(terms: WorkTerms, report: WorkerReport): void {
    this.#options.heard(report);
    const isNew = JSON.stringify(terms) !== JSON.stringify(this.#terms);
    this.#terms = terms;
    if (isNew) this.#options.changed(terms);
  }

  async #connect(signal: AbortSignal): Promise<WorkClient> {
    const { url, service, token, instance, agent } = this.#options;
    return connectWork(url, {
      service,
      token,
      instance,
      agent,
      signal,
      onConnection: (state) => this.#connection(state),
    });
  }

  #connection(state: ConnectionState): void {
    const { clock, news } = this.#options;
    switch (state.kind) {
      case 'open':
        if (this.#lostAt !== undefined) {
          news({ kind: 'back', afterMs: clock.now().mono - this.#lostAt });
        } else news({ kind: 'joined', agent: state.agent });
        this.#lostAt = undefined;
        // Another server, or one that was started anew, knows nothing of this worker.
        this.hurry();
        return;
      case 'lost':
        if (this.#lostAt !== undefined) return;
        this.#lostAt = clock.now().mono;
        news({ kind: 'lost', reason: textOf(state.error) });
        return;
      case 'over':
        // The report under way fails with the same refusal, or the next one will.
        if (this.#isJoined) this.hurry();
        return;
    }
  }

  #delayMs(attempt: number, refusal: PlatformError): number {
    const { first, most } = retryMs;
    const longest = Math.min(most, first * 2 ** Math.min(attempt, 10));
    const chosen = longest / 2 + (longest / 2) * this.#options.random.fraction();
    return Math.max(chosen, Math.min(refusal.retryAfterMs ?? 0, most));
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || (this.#isJoined && this.#isDue)) return resolve();
      const done = (): void => {
        timer.cancel();
        this.#wake = undefined;
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#options.clock.after(delayMs, done);
      if (this.#isJoined) this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** Whether trying again cannot help until somebody changes something. */
function isFinal({ code, retry }: PlatformError): boolean {
  // A queue that has ended may be reopened; a bug of one moment need not be there in the next.
  return !retry && code !== 'ended' && code !== 'internal';
}

function asPlatformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError('internal', textOf(error), { cause: error });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
