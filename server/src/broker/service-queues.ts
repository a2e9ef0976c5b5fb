// One service's queues as handlers and workers use them: checks what comes in, turns it into
// commands of the state machine and the machine's effects into deliveries and answers.

import { noBytes, PlatformError } from '@sluice/sdk/wire';
import type { Durable } from '../queue/change.ts';
import { removeStep } from '../queue/decide-remove.ts';
import type { Reply } from '../queue/decision.ts';
import type { QueueName, StoredMessage } from '../queue/message.ts';
import type { ServiceSettings } from '../queue/settings.ts';
import { payloadBytesMaxOf } from '../queue/state.ts';
import { positionOf, viewQueue } from '../queue/view.ts';
import { CarriedBodies, carriageOf, type FileBodies } from './carried-bodies.ts';
import { Loader } from './loader.ts';
import { Machine, type MachineOptions, type ResetReason } from './machine.ts';
import { newMessage } from './new-message.ts';
import { Polls } from './polls.ts';
import type {
  CompleteRequest,
  GetRequest,
  GiveBackRequest,
  Handout,
  Identity,
  PutAnswer,
  PutRequest,
  QueueCounters,
  Queues,
  QueueView,
  SearchAnswer,
  Watch,
  WatchEnd,
  WatchRequest,
  WatchSink,
} from './queues.ts';
import { checkFilter, checkGet, checkPut, keptContentType } from './request-limits.ts';
import { ServiceRequests } from './requests.ts';
import { tellOwner } from './suspicions.ts';
import { type DeliverEffect, type OpenWatch, unsent, Watches } from './watches.ts';

/** Bytes of the latest progress text of running work. */
export const progressBytesMax = 4_096;
/** Bytes of payloads that wait for the disk; a single one may be larger. */
export const putBytesMax: number = 512 * 2 ** 20;
/** Bytes of what an instance may have kept for the next delivery of a message. */
export const checkpointBytesMax: number = 2 ** 20;
const putRetryMs = 1_000;
const progressesMax = 65_536;
/** Commands of one call that wait at the same time. */
const askedAtOnce = 1_024;

export interface ServiceOptions extends MachineOptions {
  /** Told of what each turn has changed, once that is durable. */
  readonly turned?: (service: string, changes: readonly Durable[]) => void;
  /** Brings bodies in files to readers that know only messages; undefined: there are none. */
  readonly files?: FileBodies | undefined;
}

export class ServiceQueues implements Queues {
  readonly service: string;
  readonly requests: ServiceRequests;
  readonly #options: MachineOptions;
  readonly #machine: Machine;
  readonly #watches: Watches;
  readonly #polls: Polls;
  readonly #progress = new Map<number, string>();
  /** Bytes of payloads put and not answered. */
  #putBytes = 0;

  constructor(options: ServiceOptions) {
    this.service = options.service;
    this.#options = options;
    this.#machine = new Machine(options, {
      effect: (effect, message) => {
        if (effect.kind === 'suspicion') tellOwner(options, effect);
        else if (effect.kind === 'free') this.requests.freed(effect);
        else this.#watches.handle(effect, message);
      },
      visible: (queue, index) => this.#polls.wake(queue, index, this.#machine.state),
      changed: (changes) => {
        this.requests.changed(changes);
        options.turned?.(options.service, changes);
      },
      outboxWritten: (entries) => this.requests.outboxWritten(entries),
      reset: (reason) => this.#reset(reason),
      recovered: () => {
        this.#polls.recovered();
        this.requests.recovered();
      },
    });
    this.requests = new ServiceRequests(options, this.#machine);
    const loader = new Loader(options.engine, options.number, () => this.#machine.stored);
    const bodies = new CarriedBodies(options.files, options.log);
    this.#polls = new Polls(this.#machine, loader, { ...options, bodies });
    this.#watches = new Watches(loader, bodies, {
      pause: (consumer, paused) => {
        this.#machine.tell({ kind: 'pause', consumer, paused }, () => undefined);
      },
      isCurrent: (deliveryId) => this.#machine.state.leases.has(deliveryId),
      leased: (queue: QueueName, message: StoredMessage) => {
        if (this.#machine.state.queues[queue].messages.isLeased(message.meta.index)) {
          this.#machine.stored.leased(queue, message.meta);
        }
      },
      damaged: (effect, reason) => this.#damaged(effect, reason),
      ended: (consumer, reason) => this.#watchEnded(consumer, reason),
    });
  }

  start(): Promise<void> {
    return this.#machine.start();
  }

  stop(): Promise<void> {
    return this.#machine.stop();
  }

  /** Hands nothing more of the input to consumers, or goes on; leases stay. Consumers that come
   * meanwhile are refused, except to go on with what they hold. */
  hold(isHeld: boolean): void {
    this.#watches.hold(isHeld);
  }

  /** Ends for good, with all that waits refused. */
  abandon(): Promise<void> {
    return this.#machine.abandon();
  }

  async change(settings: ServiceSettings): Promise<void> {
    await this.#machine.ask({ kind: 'settings', settings });
  }

  put(queue: QueueName, request: PutRequest): Promise<PutAnswer> {
    checkPut(request);
    const bytes = request.payload.length;
    if (this.#putBytes > 0 && this.#putBytes + bytes > putBytesMax) {
      const text = `${this.#putBytes} bytes put to ${this.service} wait for the disk already`;
      throw new PlatformError('rate_limited', `${text}, of ${putBytesMax}; come back later`, {
        retryAfterMs: putRetryMs,
      });
    }
    const id = request.id ?? this.#options.random.id();
    const isDiskLow = !this.#options.engine.hasRoom();
    const { settings } = this.#machine.state;
    const about = { id, source: 0, wall: this.#options.clock.now().wall, settings };
    const meta = newMessage(queue, request, about);
    const { payload, by } = request;
    const command = { kind: 'put', queue, isDiskLow, meta, payload, ...by } as const;
    this.#putBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#machine.tell(command, (reply) => {
        this.#putBytes -= bytes;
        if (reply.kind === 'put') resolve(answerOf(reply, request.id, id));
        else reject(reply.kind === 'refused' ? reply.error : unexpected(reply.kind));
      });
    });
  }

  async get(
    queue: QueueName,
    request: GetRequest,
    signal: AbortSignal | undefined,
  ): Promise<Handout> {
    checkGet(request);
    return this.#polls.get(queue, request, signal);
  }

  async count(
    queue: QueueName,
    filter: {
      readonly tags: ReadonlyMap<string, string>;
      readonly id: string | undefined;
      readonly priority: number | undefined;
    },
  ): Promise<number> {
    checkFilter(filter);
    return this.#polls.count(queue, filter, filter.priority);
  }

  search(queue: QueueName, index: number, by: Identity): Promise<SearchAnswer | undefined> {
    return new Promise((resolve, reject) => {
      this.#machine.read({
        run: (state, turn) => {
          const position = positionOf(state, state.queues[queue], index, by.gid, by.uid);
          turn.release(() => resolve(position));
        },
        fail: reject,
      });
    });
  }

  payloadBytesMax(queue: QueueName): number {
    const { state } = this.#machine;
    return payloadBytesMaxOf(state, state.queues[queue]);
  }

  view(queue: QueueName): QueueView {
    const { state } = this.#machine;
    return viewQueue(state, state.queues[queue], this.#options.clock.now());
  }

  counters(queue: QueueName): QueueCounters {
    return { ...this.#machine.state.queues[queue].counters };
  }

  async commit(queue: QueueName, indexes: readonly number[], by: Identity): Promise<void> {
    await this.#askAll(indexes, (index) => ({ kind: 'commit', queue, index, ...by }) as const);
  }

  async negative(
    queue: QueueName,
    indexes: readonly number[],
    by: Identity,
    code: string,
    reason: string,
  ): Promise<void> {
    const rest = { gid: by.gid, uid: by.uid, code, reason };
    await this.#askAll(indexes, (index) => ({ kind: 'negative', queue, index, ...rest }) as const);
  }

  /** A long list goes in steps, so that one call never fills the inbox. */
  async #askAll<Key>(
    keys: readonly Key[],
    command: (key: Key) => Parameters<Machine['ask']>[0],
  ): Promise<void> {
    const only = keys.length === 1 ? keys[0] : undefined;
    if (only !== undefined) await this.#machine.ask(command(only));
    else {
      for (let at = 0; at < keys.length; at += askedAtOnce) {
        const step = keys.slice(at, at + askedAtOnce);
        await Promise.all(step.map((key) => this.#machine.ask(command(key))));
      }
    }
  }

  async delete(queue: QueueName, indexes: readonly number[]): Promise<void> {
    const steps: number[][] = [];
    for (let at = 0; at < indexes.length; at += removeStep) {
      steps.push(indexes.slice(at, at + removeStep));
    }
    const cause = 'deleted' as const;
    await this.#askAll(steps, (step) => ({ kind: 'delete', queue, indexes: step, cause }) as const);
  }

  async truncate(queue: QueueName, below: number): Promise<void> {
    await this.#machine.ask({ kind: 'truncate', queue, below, cause: 'truncated' });
  }

  async end(queue: QueueName, force: boolean): Promise<void> {
    await this.#machine.ask({ kind: 'end', queue, ended: true });
    if (!force) return;
    const below = Number.MAX_SAFE_INTEGER;
    await this.#machine.ask({ kind: 'truncate', queue, below, cause: 'forceEnded' });
  }

  async reopen(queue: QueueName): Promise<void> {
    await this.#machine.ask({ kind: 'end', queue, ended: false });
  }

  watch(queue: QueueName, request: WatchRequest, sink: WatchSink): Promise<Watch> {
    checkFilter(request);
    this.#watches.check(queue, request, this.service);
    const { by, kind, fetches, ...rest } = request;
    const command = { kind: 'attach', queue, ...rest, ...by, consumerKind: kind } as const;
    return new Promise((resolve, reject) => {
      this.#machine.tell(command, (reply) => {
        if (reply.kind !== 'attached') {
          reject(reply.kind === 'refused' ? reply.error : unexpected(reply.kind));
          return;
        }
        const how = { indexOnly: request.indexOnly, carriage: carriageOf(request), sink };
        const watch = this.#watches.add(reply.consumer, queue, how);
        resolve(this.#faceOf(watch, by, reply.held));
        // The owner gets its watch before the first delivery.
        this.#options.clock.defer(() => this.#watches.open(watch));
      });
    });
  }

  #faceOf(watch: OpenWatch, by: Identity, held: readonly number[]): Watch {
    return {
      by,
      held,
      drained: () => this.#watches.drained(watch),
      pause: () => this.#watches.setPaused(watch, true),
      resume: () => this.#watches.setPaused(watch, false),
      close: async (how) => {
        if (!this.#watches.has(watch.consumer)) return;
        for (const deliveryId of this.#watches.remove(watch)) {
          this.#machine.tell(unsent(watch.queue, deliveryId), () => undefined);
        }
        await this.#machine.ask({ kind: 'detach', consumer: watch.consumer, how });
      },
    };
  }

  complete(request: CompleteRequest): Promise<number> {
    const { payload = noBytes } = request;
    const contentType = keptContentType(request.contentType);
    const command = { kind: 'complete', ...request, contentType, payload } as const;
    return this.#machine.ask(command).then((reply) => {
      this.#progress.delete(request.deliveryId);
      return reply.kind === 'completed' ? reply.resultIndex : 0;
    });
  }

  commitDelivery(queue: QueueName, deliveryId: number): Promise<unknown> {
    return this.#machine.ask({ kind: 'commitDelivery', queue, deliveryId });
  }

  async giveBack(queue: QueueName, request: GiveBackRequest): Promise<void> {
    await this.#machine.ask({ kind: 'giveBack', queue, ...request });
    this.#progress.delete(request.deliveryId);
  }

  freed(queue: QueueName, deliveryId: number): void {
    this.#machine.tell({ kind: 'freed', queue, deliveryId }, () => undefined);
  }

  async touch(queue: QueueName, deliveryId: number): Promise<void> {
    await this.#machine.ask({ kind: 'touch', queue, deliveryId });
  }

  leaseOf(deliveryId: number): { readonly index: number; readonly deliveries: number } | undefined {
    const place = this.#machine.state.leases.get(deliveryId);
    if (place === undefined || place.queue.name !== 'input') return undefined;
    const { index, mark } = place.entry;
    return { index, deliveries: mark.deliveries };
  }

  async progress(deliveryId: number, text: string): Promise<void> {
    if (text.length > progressBytesMax) {
      throw new PlatformError('too_large', `progress has at most ${progressBytesMax} characters`);
    }
    const { leases } = this.#machine.state;
    if (!leases.has(deliveryId)) {
      throw new PlatformError('stale_delivery', `delivery ${deliveryId} is no longer current`);
    }
    this.#progress.set(deliveryId, text);
    if (this.#progress.size <= progressesMax) return;
    for (const known of this.#progress.keys()) {
      if (!leases.has(known)) this.#progress.delete(known);
    }
  }

  async checkpoint(deliveryId: number, data: Uint8Array): Promise<void> {
    if (data.length > checkpointBytesMax) {
      const text = `a checkpoint has ${data.length} bytes, at most ${checkpointBytesMax} are kept`;
      throw new PlatformError('too_large', text);
    }
    await this.#machine.ask({ kind: 'checkpoint', deliveryId, data });
  }

  checkpointOf(index: number): Promise<Uint8Array | undefined> {
    return this.#options.engine.checkpoint(this.#options.number, index);
  }

  /** The latest progress text of a delivery that is under way. */
  progressOf(deliveryId: number): string | undefined {
    return this.#progress.get(deliveryId);
  }

  /** Counted, so that it comes to rest among the dead, and tells whoever waits for its result. */
  #damaged({ queue, index, deliveryId }: DeliverEffect, reason: string): void {
    const { log } = this.#options;
    log.error({ service: this.service, queue, index, reason }, 'message damaged');
    if (deliveryId === 0) return;
    const cause = { counted: true, code: 'Damaged', reason, delayMs: damagedRetryMs };
    this.#machine.tell({ kind: 'giveBack', queue, deliveryId, ...cause }, () => undefined);
  }

  #watchEnded(consumer: number, reason: WatchEnd): void {
    // Of all these the machine needs no word: it has ended the consumer itself, or ends.
    if (reason !== 'ended') return;
    this.#machine.tell({ kind: 'detach', consumer, how: 'drain' }, () => undefined);
  }

  #reset(reason: ResetReason): void {
    const error =
      reason === 'deleted'
        ? new PlatformError('not_found', `the service ${this.service} was deleted`)
        : new PlatformError('unavailable', `${this.service} is ${reason}`, { retryAfterMs: 1_000 });
    this.#polls.failAll(error);
    this.#watches.closeAll(reason);
    this.requests.reset();
  }
}

function answerOf(
  { index, repeated }: Extract<Reply, { kind: 'put' }>,
  callerId: string | undefined,
  id: string,
): PutAnswer {
  return { index, id: repeated && callerId === undefined ? '' : id, repeated };
}

/** A disk that is read again may do better; soon enough it will not. */
const damagedRetryMs = 1_000;

function unexpected(kind: string): Error {
  return new Error(`the state machine answered ${kind}`);
}
