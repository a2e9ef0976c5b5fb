// Carries the callbacks of one service: makes the message, signs it, sends it, and says what that
// came to, to the log and to whoever keeps the schedule.

import { type CallbackAttempt, type CallbackOutcome, PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Pending } from './agenda.ts';
import type { ClosedAddresses } from './closed-addresses.ts';
import type { DeliveryLog } from './delivery-log.ts';
import { eventType, messageOf } from './event.ts';
import type { KeyRing } from './key-ring.ts';
import { nextDelayMs } from './schedule.ts';
import { type Answer, Sender, type SenderOptions } from './sender.ts';
import { signatureHeaders } from './signing.ts';
import type { CallbackSource, Told } from './source.ts';

export interface CourierOptions {
  readonly service: string;
  readonly keys: KeyRing;
  readonly closed: ClosedAddresses;
  readonly attempts: DeliveryLog;
  readonly sending: SenderOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly record: RecordEvent;
  readonly log: Log;
  /** An attempt has ended. */
  readonly counted: (outcome: CallbackOutcome) => void;
}

export type Delivered =
  /** Delivered, given up, or not wanted. */
  | { readonly kind: 'over' }
  /** It failed; wall clock of the next attempt. */
  | { readonly kind: 'again'; readonly at: number }
  | { readonly kind: 'aborted' };

/** What is wanted of one attempt. */
interface Attempt {
  readonly index: number;
  readonly url: string;
  readonly number: number;
  readonly isByHand: boolean;
  readonly sender: Sender;
}

/** An owner hears of callbacks that are given up at most so often. */
const givenUpToldMs = 60_000;

export class Courier {
  readonly #options: CourierOptions;
  readonly #senders = new Map<string, Sender>();
  #givenUpToldAt = Number.NEGATIVE_INFINITY;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** One attempt of the schedule. Rejects for reasons that are not the receiver's: then nothing
   * was sent, and it counts for nothing. */
  async deliver(pending: Pending, source: CallbackSource, signal: AbortSignal): Promise<Delivered> {
    const { index, url, origin, events, attempts } = pending;
    const told = await source.tell(index, source.settings().resultBytesMax);
    if (told === undefined) return this.#lost(pending);
    if (events.length > 0 && !events.includes(told.request.state)) return { kind: 'over' };
    if (this.#options.closed.has(url)) {
      const error = 'the address answered 410 before';
      this.#note(pending, eventType(told.request), 'closed', { error });
      return { kind: 'over' };
    }
    const sender = this.#senderOf(origin);
    const attempt = { index, url, number: attempts + 1, isByHand: false, sender };
    const made = await this.#attempt(attempt, told, source, signal);
    if (made === undefined) return { kind: 'aborted' };
    return made.nextAt === null ? { kind: 'over' } : { kind: 'again', at: Date.parse(made.nextAt) };
  }

  /** One attempt by hand, of a request at rest, whatever was tried before; one that is taken opens
   * its address again. Undefined: it was broken off. */
  async deliverByHand(
    {
      index,
      url,
      number,
    }: { readonly index: number; readonly url: string; readonly number: number },
    told: Told,
    source: CallbackSource,
    signal: AbortSignal,
  ): Promise<CallbackAttempt | undefined> {
    const sender = new Sender(this.#options.sending);
    try {
      const attempt = { index, url, number, isByHand: true, sender };
      const made = await this.#attempt(attempt, told, source, signal);
      if (made?.outcome === 'delivered') await this.#options.closed.open(url);
      return made;
    } finally {
      await sender.close();
    }
  }

  /** Nothing is on its way to a target, or about to be. */
  leave(origin: string): void {
    const sender = this.#senders.get(origin);
    this.#senders.delete(origin);
    sender?.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    const senders = [...this.#senders.values()];
    this.#senders.clear();
    await Promise.all(senders.map((sender) => sender.close()));
  }

  async #attempt(
    attempt: Attempt,
    told: Told,
    source: CallbackSource,
    signal: AbortSignal,
  ): Promise<CallbackAttempt | undefined> {
    const { clock, keys } = this.#options;
    const { url, sender } = attempt;
    const { type, id, body } = messageOf(told);
    const begun = clock.now();
    const headers = signatureHeaders({ id, at: begun.wall, body }, await keys.signing());
    const answer = await sender.send({ url, headers, body }, source.settings(), signal);
    if (answer.kind === 'aborted') return undefined;
    const now = clock.now();
    const judged = this.#judge(answer, attempt, now.wall);
    const made: CallbackAttempt = {
      attempt: attempt.number,
      at: instant(begun.wall),
      event: type,
      url,
      status: answer.status,
      error: '',
      durationMs: Math.round(now.mono - begun.mono),
      nextAt: null,
      replay: attempt.isByHand,
      ...judged,
    };
    this.#log(attempt.index, made);
    if (answer.kind === 'gone') await this.#close(url, now.wall);
    if (made.outcome === 'givenUp') this.#tellGivenUp(attempt.index, made, now.mono);
    return made;
  }

  #judge(
    answer: Exclude<Answer, { kind: 'aborted' }>,
    { number, isByHand }: Attempt,
    wall: number,
  ): Pick<CallbackAttempt, 'outcome'> & Partial<CallbackAttempt> {
    switch (answer.kind) {
      case 'delivered':
        return { outcome: 'delivered' };
      case 'gone':
        return { outcome: 'closed', error: 'the receiver answered 410: nothing is wanted there' };
      case 'failed': {
        const { error, retryAfterMs } = answer;
        if (isByHand) return { outcome: 'failed', error };
        const delay = nextDelayMs(number, this.#options.random.fraction(), retryAfterMs);
        if (delay === undefined) return { outcome: 'givenUp', error };
        return { outcome: 'failed', error, nextAt: instant(wall + delay) };
      }
    }
  }

  #lost(pending: Pending): Delivered {
    const { log, service, clock } = this.#options;
    const error = 'the record of the request is gone';
    log.warn({ service, index: pending.index }, 'callback given up');
    const made = this.#note(pending, 'request', 'givenUp', { error });
    this.#tellGivenUp(pending.index, made, clock.now().mono);
    return { kind: 'over' };
  }

  /** An outcome without an exchange. */
  #note(
    { index, url, attempts }: Pending,
    event: string,
    outcome: CallbackOutcome,
    { error }: { readonly error: string },
  ): CallbackAttempt {
    const made: CallbackAttempt = {
      attempt: attempts + 1,
      at: instant(this.#options.clock.now().wall),
      event,
      url,
      status: null,
      error,
      durationMs: 0,
      outcome,
      nextAt: null,
      replay: false,
    };
    this.#log(index, made);
    return made;
  }

  #log(index: number, made: CallbackAttempt): void {
    this.#options.attempts.append({ index, ...made });
    this.#options.counted(made.outcome);
  }

  async #close(url: string, at: number): Promise<void> {
    const { closed, record, service, log } = this.#options;
    if (closed.has(url)) return;
    const where = shownUrl(url);
    log.warn({ service, where }, 'callback address closed');
    const text = `${where} answered 410: it gets no more callbacks until it is opened again`;
    record({ service, kind: 'callback', what: 'closed', text });
    await closed.close(url, at).catch((error: unknown) => {
      log.warn({ service, error }, 'closed callback address not kept');
    });
  }

  #tellGivenUp(index: number, { url, attempt, error }: CallbackAttempt, mono: number): void {
    if (mono - this.#givenUpToldAt < givenUpToldMs) return;
    this.#givenUpToldAt = mono;
    const { record, service } = this.#options;
    const text = `the callback of request ${index} to ${shownUrl(url)} was given up: ${error}`;
    record({ service, kind: 'callback', what: 'given-up', text, facts: { index, attempt } });
  }

  #senderOf(origin: string): Sender {
    const known = this.#senders.get(origin);
    if (known !== undefined) return known;
    const made = new Sender(this.#options.sending);
    this.#senders.set(origin, made);
    return made;
  }
}

/** Without what may be a secret: parameters and credentials. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return "an address that can't be read";
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** Why a request has no callback to send by hand; undefined when it has one. */
export function noCallback({ request }: Told): PlatformError | undefined {
  if (request.callback !== null) return undefined;
  return new PlatformError('conflict', `request ${request.id} asked for no callback`);
}

function instant(wall: number): string {
  return new Date(wall).toISOString();
}
