// Feeds one instance: holds a window of deliveries, calls the model server for each, and reports
// what became of it. Always: no more calls at the model than the window, abandoned ones that it may
// still work on included; and every delivery is completed, given back or no longer ours.

import type { EndedCall } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { ResultKeeper, WorkBodies } from './body.ts';
import { Call, type RunningCall } from './call.ts';
import { CancelHook } from './cancel-hook.ts';
import { type Hold, Holds } from './holds.ts';
import type { ModelClient, ModelRequest } from './model.ts';
import { type CallLimits, ModelCalls } from './model-call.ts';
import type { Outcome } from './outcome.ts';
import type { ReportAddresses } from './report-desk.ts';
import { Reporter } from './reporter.ts';
import { modelRequest } from './request.ts';
import type { WorkerSettings } from './settings.ts';
import { Slots } from './slots.ts';
import type { WorkDelivery, WorkNews, WorkSource } from './source.ts';
import { Subscription, type WatchTerms } from './subscription.ts';
import { type CallFacts, verdictOf } from './verdict.ts';

export interface WorkerOptions {
  readonly service: string;
  /** The name of the instance: the worker's user id. */
  readonly instance: string;
  readonly source: WorkSource;
  readonly model: ModelClient;
  /** The path of the instance's own address, `/` for most. */
  readonly basePath: string;
  readonly settings: WorkerSettings;
  /** The largest result the queue takes now. */
  readonly answerBytesMax: () => number;
  /** How long to wait, after a connection was cut or refused, for word that the instance is dead:
   * a process closes its sockets a moment before its end is seen. 0 where nobody could tell. */
  readonly cutGraceMs: number;
  /** Calls of an earlier run of Sluice that the model may still be at work on: their slots are free
   * when a check passes `releaseAfterMs` from now. Default 0. */
  readonly leftBehind?: number;
  /** Takes what the model streams and reports; undefined: nobody follows it. */
  readonly news?: WorkNews | undefined;
  /** Brings bodies that are not in their messages; undefined: there can be none. */
  readonly bodies?: WorkBodies | undefined;
  /** Where the model reports; undefined: it could not reach that. */
  readonly reports?: ReportAddresses | undefined;
  /** Ends the instance, whose death is told by `died`; undefined: it is not ours to end. */
  readonly end?: ((reason: string) => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Every call that ended, for metrics. */
  readonly observe?: (call: EndedCall) => void;
}

export interface WorkerView {
  readonly running: readonly RunningCall[];
  /** Slots of abandoned calls that the model may still work on. */
  readonly abandoned: number;
  readonly holds: readonly Hold[];
  /** Wall clock of the end of a refusal, 0 = none. */
  readonly refusedUntil: number;
  /** Whether its watch on the input queue is open. */
  readonly isWatching: boolean;
  /** It gets no work ever again: another worker has its name, or the queue is gone. */
  readonly lost: 'replaced' | 'deleted' | undefined;
}

export class Worker {
  readonly #options: WorkerOptions;
  #settings: WorkerSettings;
  readonly #slots = new Slots();
  readonly #runs = new Set<Promise<void>>();
  readonly #holds: Holds;
  readonly #subscription: Subscription;
  readonly #hurry = new AbortController();
  readonly #reporter: Reporter;
  readonly #death = new AbortController();
  readonly #calls: ModelCalls;
  readonly #cancels: CancelHook;
  #deathReason: string | undefined;
  #lostTo: 'replaced' | 'deleted' | undefined;

  constructor(options: WorkerOptions) {
    const { source, service, instance, clock, random, log, leftBehind = 0 } = options;
    this.#options = options;
    this.#settings = options.settings;
    this.#slots.inherit(Math.min(leftBehind, options.settings.window), clock.now().mono);
    this.#holds = new Holds({ clock, random, changed: (held) => this.#held(held) });
    this.#reporter = new Reporter({ source, clock, log, hurry: this.#hurry.signal });
    const { model, basePath, news, reports, cutGraceMs } = options;
    const death = this.#death.signal;
    this.#calls = new ModelCalls({ source, model, news, reports, cutGraceMs, death, clock, log });
    this.#cancels = new CancelHook({
      model,
      basePath,
      end: options.end === undefined ? undefined : (reason) => this.#end(reason),
      free: (deliveryId) => this.#released(deliveryId),
      isTaken: (deliveryId) => this.#slots.isAbandoned(deliveryId),
      clock,
      log,
    });
    this.#subscription = new Subscription(
      {
        source,
        service,
        instance,
        clock,
        log,
        holding: () => this.#slots.deliveryIds(),
        deliver: (delivery) => this.#deliver(delivery),
        voided: (deliveryId, reason) => this.#voided(deliveryId, reason),
        lost: (why) => this.#lost(why),
      },
      this.#terms(),
    );
  }

  /** Begins to take work. */
  start(): void {
    this.#fill();
    this.#subscription.open();
  }

  /** New settings, without a break; calls under way keep theirs. */
  update(settings: WorkerSettings): void {
    this.#settings = settings;
    this.#subscription.change(this.#terms());
    this.#fill();
  }

  /** No new work until `letThrough`: the instance's checks fail or time out. */
  holdBack(): void {
    this.#holds.set('check');
  }

  letThrough(): void {
    this.#holds.clear('check');
  }

  /** A health check that began at `startedAt` (monotonic clock) has ended. */
  checked(ok: boolean, startedAt: number): void {
    this.#holds.checked(ok, startedAt);
    if (ok) this.#free(startedAt - this.#settings.releaseAfterMs);
  }

  /**
   * Takes no more work and resolves when calls under way have ended by themselves and all leases
   * are settled. When `signal` is aborted, they are cut and given back uncounted.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#holds.set('leaving');
    const cut = (): void => {
      for (const call of this.#slots.calls()) if (!call.isAnswered) call.end('shutdown');
      this.#hurry.abort();
    };
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    await this.#settle();
    await this.#subscription.close('drain');
    signal.removeEventListener('abort', cut);
    await this.#close();
  }

  /** The instance is gone with everything it held: that counts. `reason` says how it ended. */
  async died(reason: string): Promise<void> {
    this.#deathReason = reason;
    this.#holds.set('leaving');
    this.#death.abort();
    for (const call of this.#slots.calls()) if (!call.isAnswered) call.end('dead');
    await this.#settle();
    this.#free(Number.POSITIVE_INFINITY);
    await this.#subscription.close('dead');
    await this.#close();
  }

  view(): WorkerView {
    return {
      running: this.#slots.running(),
      abandoned: this.#slots.abandoned,
      holds: this.#holds.list(),
      refusedUntil: this.#holds.refusedUntil,
      isWatching: this.#subscription.isOpen,
      lost: this.#lostTo,
    };
  }

  #held(held: boolean): void {
    if (held) this.#subscription.pause();
    else this.#subscription.resume();
  }

  #deliver(delivery: WorkDelivery): void {
    if (this.#slots.find(delivery.deliveryId) !== undefined) return;
    const room = !this.#holds.isHeld && this.#slots.atModel < this.#settings.window;
    const call = new Call(delivery, this.#options.clock);
    this.#slots.add(call);
    const run = room ? this.#work(call) : this.#decline(call);
    const kept = run
      .catch((error: unknown) => {
        this.#options.log.error({ index: delivery.index, error }, 'a call failed unexpectedly');
      })
      .finally(() => {
        this.#slots.remove(call);
        this.#runs.delete(kept);
        this.#fill();
      });
    this.#runs.add(kept);
  }

  /** It came while nothing should: a pause takes a moment to arrive. */
  async #decline(call: Call): Promise<void> {
    this.#slots.answered(call);
    const leaving = this.#holds.has('leaving');
    const reason = leaving ? 'the instance is leaving' : 'the instance takes nothing now';
    const code = leaving ? 'Shutdown' : 'Busy';
    await this.#reporter.giveBack(call, { counted: false, code, reason, delayMs: 0 });
  }

  async #work(call: Call): Promise<void> {
    const { basePath, random, bodies } = this.#options;
    const settings = this.#settings;
    const made = modelRequest(call.delivery, basePath, settings.request, random, bodies);
    if (!made.ok) {
      this.#slots.answered(call);
      const payload = new Uint8Array(0);
      await this.#apply(call, { kind: 'failed', code: '400', reason: made.problem, payload }, 0);
      return;
    }
    const answerBytesMax = this.#options.answerBytesMax();
    const { keepaliveMs } = settings;
    const keeper = this.#keeper(call.delivery);
    const limits = { keepaliveMs, answerBytesMax, keeper };
    const result = await this.#calls.run(call, made.request, limits);
    const durationMs = this.#slots.answered(call);
    const { outcome, occupies } = verdictOf(
      call.ending,
      result,
      this.#facts(call, made.request, settings, limits),
    );
    this.#leave(call, occupies, settings);
    const ending = result.kind === 'aborted' || outcome === undefined ? call.ending : undefined;
    this.#options.observe?.({ durationMs, outcome: ending ?? outcome?.kind ?? 'voided' });
    const answer = result.kind === 'answer' ? result : undefined;
    if (outcome !== undefined) await this.#apply(call, outcome, answer?.firstOutputAt ?? 0);
    answer?.kept?.done();
    if (outcome === undefined || outcome.kind === 'refused' || outcome.kind === 'retry') return;
    if (call.delivery.body !== undefined) bodies?.mayGo(call.delivery.body);
  }

  /** Only a result that stays with its record may lie outside of the queue. */
  #keeper({ home, deliveryId }: WorkDelivery): ResultKeeper | undefined {
    const { bodies } = this.#options;
    if (bodies === undefined || home !== 'record') return undefined;
    const keep: ResultKeeper['keep'] = (source, signal) => bodies.keep(source, signal, deliveryId);
    return { bytesMax: bodies.resultBytesMax(), keep };
  }

  #facts(
    call: Call,
    request: ModelRequest,
    settings: WorkerSettings,
    { answerBytesMax, keeper }: CallLimits,
  ): CallFacts {
    const { clock, random } = this.#options;
    return {
      deliveries: call.delivery.deliveries,
      retryStatuses: settings.retryStatuses,
      answerBytesMax,
      keptBytesMax: keeper?.bytesMax ?? 0,
      method: request.method,
      path: request.path,
      contentType: request.headers['content-type'],
      now: clock.now().wall,
      fraction: random.fraction(),
      death: this.#deathReason,
      keepaliveMs: settings.keepaliveMs,
    };
  }

  /** The call is over for us; its slot stays taken while the model may still work on it. */
  #leave(call: Call, occupies: boolean, { cancel }: WorkerSettings): void {
    const voided = call.ending === 'voided';
    const { deliveryId } = call.delivery;
    if (occupies) {
      this.#slots.abandon(call, { since: this.#options.clock.now().mono, voided });
      this.#fill();
      if (call.isUnwanted && cancel !== undefined) this.#cancels.begin(call.delivery, cancel);
    } else if (voided) this.#options.source.freed('input', deliveryId);
  }

  async #apply(call: Call, outcome: Outcome, firstOutputAt: number): Promise<void> {
    const { deliveryId } = call.delivery;
    switch (outcome.kind) {
      case 'succeeded':
        this.#holds.succeeded();
        return this.#reporter.complete(call, {
          deliveryId,
          payload: outcome.payload.byteLength === 0 ? undefined : outcome.payload,
          contentType: outcome.contentType,
          outcome: 'succeeded',
          code: outcome.code,
          reason: '',
          firstOutputAt,
          ...(outcome.kept === undefined ? {} : { body: outcome.kept.place }),
        });
      case 'failed': {
        const { payload, contentType, code, reason } = outcome;
        const result = { payload, contentType, code, reason, firstOutputAt };
        return this.#reporter.complete(call, { deliveryId, outcome: 'failed', ...result });
      }
      case 'refused': {
        const { code, reason } = outcome;
        if (!this.#holds.has('leaving')) this.#holds.refused(outcome);
        return this.#reporter.giveBack(call, { counted: false, code, reason, delayMs: 0 });
      }
      case 'retry': {
        const { code, reason, delayMs } = outcome;
        // The source counts the slot of an abandoned call too, until it hears that it is free.
        const occupies = this.#slots.markVoided(deliveryId);
        return this.#reporter.giveBack(call, { counted: true, code, reason, delayMs, occupies });
      }
    }
  }

  #voided(deliveryId: number, reason: string): void {
    const call = this.#slots.find(deliveryId);
    this.#options.log.info({ deliveryId, reason }, 'lease taken away');
    const isAtModel = call !== undefined && !call.isAnswered;
    if (call !== undefined) call.isUnwanted = CancelHook.applies(reason);
    call?.end('voided');
    // A call under way says itself when its slot is free; one that is over has no slot any more.
    if (isAtModel || this.#slots.markVoided(deliveryId)) return;
    this.#options.source.freed('input', deliveryId);
  }

  /** The model has let go of an abandoned call. */
  #released(deliveryId: number): void {
    if (!this.#slots.release(deliveryId)) return;
    this.#options.source.freed('input', deliveryId);
    this.#fill();
  }

  /** Nothing more comes to this instance; what it works on beside goes back uncounted, and then it
   * is ended: its death frees what is abandoned. */
  #end(reason: string): void {
    this.#holds.set('leaving');
    for (const call of this.#slots.calls()) if (!call.isAnswered) call.end('shutdown');
    this.#settle()
      .then(() => this.#options.end?.(reason))
      .catch((error: unknown) => this.#options.log.error({ error }, 'an instance was not ended'));
  }

  /** Slots abandoned at or before `until` (monotonic clock) are free again. */
  #free(until: number): void {
    for (const id of this.#slots.free(until)) this.#options.source.freed('input', id);
    this.#subscription.change(this.#terms());
    this.#fill();
  }

  /** What the source may count with; while that is nothing, the watch is paused. */
  #terms(): WatchTerms {
    const { window, revision = 0 } = this.#settings;
    return { window: Math.max(1, window - this.#slots.inherited), revision };
  }

  /** Abandoned calls and running ones fill the window: nothing more may come. */
  #fill(): void {
    const full = this.#slots.abandoned > 0 && this.#slots.atModel >= this.#settings.window;
    if (full) this.#holds.set('full');
    else this.#holds.clear('full');
  }

  #lost(why: 'replaced' | 'deleted'): void {
    const { log, instance } = this.#options;
    if (why === 'replaced')
      log.error({ instance }, 'another worker uses the name of this instance');
    this.#lostTo = why;
    this.#holds.set('leaving');
    for (const call of this.#slots.calls()) call.end('voided');
  }

  async #settle(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all(this.#runs);
  }

  async #close(): Promise<void> {
    this.#holds.stop();
    this.#cancels.stop();
    await this.#options.model.close();
  }
}
