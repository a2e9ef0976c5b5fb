// One service's requests, one by one: where each stands or how it came to rest, what is kept of it,
// and what may be done to it besides delivering. For the request API; the queue protocols know
// messages only.

import { PlatformError } from '@sluice/sdk/wire';
import type { Departure } from '../engine/engine.ts';
import { readAfterwards, writeAfterwards } from '../queue/afterwards.ts';
import type { Durable } from '../queue/change.ts';
import type { Effect, Reply } from '../queue/decision.ts';
import { hashText } from '../queue/hash.ts';
import type { MessageMeta, StoredMessage } from '../queue/message.ts';
import type { RequestRecord } from '../queue/record.ts';
import {
  indexesWithin,
  type ResultRoom,
  resultRoomOf,
  type Standing,
  standingOf,
} from '../queue/standing.ts';
import type { State } from '../queue/state.ts';
import type { OutboxEntry } from '../queue/transition.ts';
import type { Machine, MachineOptions } from './machine.ts';
import { newMessage } from './new-message.ts';
import type { PutAnswer, PutRequest } from './queues.ts';
import { checkPut } from './request-limits.ts';
import { touchedBy } from './turn.ts';

export type { ResultRoom, Standing };

/** A request that waits or runs, or one at rest. */
export type Known =
  | { readonly kind: 'live'; readonly meta: MessageMeta; readonly standing: Standing }
  | { readonly kind: 'rested'; readonly record: RequestRecord };

/** What the request API may do with a service's requests. All answers are about what is durable. */
export interface Requests {
  /** undefined: there never was such a request, or its record is forgotten. */
  find(index: number): Promise<Known | undefined>;
  /** Those that wait or run with indexes from `from` to below `below`, ascending. */
  live(from: number, below: number): Promise<readonly Known[]>;
  /** Indexes of messages of the input with this request id. */
  withId(id: string): Promise<readonly number[]>;
  /** Records of indexes from `from` on, ascending; at most 1,000. */
  records(from: number, limit: number): Promise<readonly RequestRecord[]>;
  /** The last index given out, and the first one that waits or runs (Infinity = none does). */
  lastIndex(): number;
  firstLive(): number;
  resultOf(index: number): Promise<Uint8Array | undefined>;
  /** The result of home `sink`, as long as it is there. */
  inSink(index: number): Promise<StoredMessage | undefined>;
  departureOf(index: number): Promise<Departure | undefined>;
  resultRoom(): ResultRoom;
  /** False when it had come to rest before. */
  cancel(index: number, reason: string): Promise<boolean>;
  /** The metas of the dead with indexes in the rear queue from `from` to below `below`. */
  deadWithin(from: number, below: number): Promise<readonly MessageMeta[]>;
  /** The last index given out in the rear queue. */
  lastDead(): number;
  /** A dead message of the rear queue. */
  dead(rearIndex: number): Promise<StoredMessage | undefined>;
  /** Puts a dead message anew, takes it from the rear queue and notes the new index in the record
   * of the request at `source`: all or nothing. */
  redrive(rearIndex: number, request: PutRequest, source: number): Promise<PutAnswer>;
  /** Calls `changed` after everything durable that befalls the request, until the answer is
   * called. */
  follow(index: number, changed: () => void): () => void;
  /** Calls `written` with the callbacks to make that became durable, and with undefined after each
   * recovery, when there may be others; until the answer is called. */
  whenOutbox(written: OutboxReader): () => void;
  /** Callbacks that were neither delivered nor given up, of indexes from `from` on, ascending; at
   * most 1,000. */
  outbox(from: number, limit: number): Promise<readonly OutboxEntry[]>;
  /** A callback was delivered or given up. */
  outboxDone(index: number): Promise<void>;
}

/** Takes callbacks to make; undefined: look what there is. */
export type OutboxReader = (entries: readonly OutboxEntry[] | undefined) => void;

type FreeEffect = Extract<Effect, { kind: 'free' }>;

export class ServiceRequests implements Requests {
  readonly #options: MachineOptions;
  readonly #machine: Machine;
  readonly #followers = new Map<number, Set<() => void>>();
  readonly #outboxReaders = new Set<OutboxReader>();

  constructor(options: MachineOptions, machine: Machine) {
    this.#options = options;
    this.#machine = machine;
  }

  async find(index: number): Promise<Known | undefined> {
    // It may come to rest between the look at the memory and the look at the disk.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const [live] = await this.#live((state) => [index].filter((one) => isThere(state, one)));
      if (live !== undefined) return live;
      const record = await this.#record(index);
      if (record !== undefined) return { kind: 'rested', record };
    }
    return undefined;
  }

  live(from: number, below: number): Promise<readonly Known[]> {
    return this.#live((state) => indexesWithin(state.queues.input, from, below));
  }

  async #live(choose: (state: State) => readonly number[]): Promise<readonly Known[]> {
    const { engine, number: service, clock } = this.#options;
    const standings = await this.#read((state) => {
      const now = clock.now();
      return choose(state).flatMap((index) => standingOf(state, index, now) ?? []);
    });
    const refs = standings.map(({ index }) => ({ service, queue: 'input' as const, index }));
    const metas = await engine.metas(refs);
    return standings.flatMap((standing, at): Known[] => {
      const meta = metas[at];
      return meta === undefined ? [] : [{ kind: 'live', meta, standing }];
    });
  }

  withId(id: string): Promise<readonly number[]> {
    return this.#read((state) => state.queues.input.messages.withId(hashText(state.key, id)));
  }

  records(from: number, limit: number): Promise<readonly RequestRecord[]> {
    return this.#options.engine.records(this.#options.number, from, Math.min(limit, listMax));
  }

  lastIndex(): number {
    return this.#machine.state.queues.input.lastIndex;
  }

  firstLive(): number {
    return this.#machine.state.queues.input.messages.firstFrom(1) || Number.POSITIVE_INFINITY;
  }

  resultOf(index: number): Promise<Uint8Array | undefined> {
    return this.#options.engine.recordResult(this.#options.number, index);
  }

  async inSink(index: number): Promise<StoredMessage | undefined> {
    const { engine, number: service } = this.#options;
    const isThere = await this.#read(({ queues: { sink } }) => {
      return sink.messages.has(index) && !sink.messages.isHidden(index);
    });
    return isThere ? (await engine.payloads([{ service, queue: 'sink', index }]))[0] : undefined;
  }

  departureOf(index: number): Promise<Departure | undefined> {
    return this.#options.engine.departure(this.#options.number, index);
  }

  resultRoom(): ResultRoom {
    return resultRoomOf(this.#machine.state);
  }

  async cancel(index: number, reason: string): Promise<boolean> {
    const reply = await this.#machine.ask({ kind: 'cancel', index, reason });
    return reply.kind === 'canceled' && reply.found;
  }

  async dead(rearIndex: number): Promise<StoredMessage | undefined> {
    const { engine, number: service } = this.#options;
    const ref = { service, queue: 'inputRear', index: rearIndex } as const;
    const isThere = await this.#read(({ queues }) => queues.inputRear.messages.has(rearIndex));
    return isThere ? (await engine.payloads([ref]))[0] : undefined;
  }

  async deadWithin(from: number, below: number): Promise<readonly MessageMeta[]> {
    const { engine, number: service } = this.#options;
    const indexes = await this.#read(({ queues }) => indexesWithin(queues.inputRear, from, below));
    const refs = indexes.map((index) => ({ service, queue: 'inputRear' as const, index }));
    return (await engine.metas(refs)).filter((meta) => meta !== undefined);
  }

  lastDead(): number {
    return this.#machine.state.queues.inputRear.lastIndex;
  }

  async redrive(rearIndex: number, request: PutRequest, source: number): Promise<PutAnswer> {
    checkPut(request);
    const { clock, random, engine } = this.#options;
    const { settings } = this.#machine.state;
    const id = request.id ?? random.id();
    const about = { id, source, wall: clock.now().wall, settings };
    const { by, payload } = request;
    const put = {
      kind: 'put',
      queue: 'input',
      // Whoever waits for a result by this id gets it; but this is no repetition of the first put.
      meta: { ...newMessage('input', request, about), callerId: false },
      payload,
      ...by,
      isDiskLow: !engine.hasRoom(),
    } as const;
    const record = await this.#record(source);
    const reply = await this.#machine.ask({ kind: 'redrive', rearIndex, put, record });
    if (reply.kind !== 'put') throw unexpected(reply);
    return { index: reply.index, id, repeated: reply.repeated };
  }

  async #record(index: number): Promise<RequestRecord | undefined> {
    const [record] = await this.records(index, 1);
    return record?.index === index ? record : undefined;
  }

  follow(index: number, changed: () => void): () => void {
    const followers = this.#followers.get(index) ?? new Set();
    this.#followers.set(index, followers);
    followers.add(changed);
    return () => {
      followers.delete(changed);
      if (followers.size === 0) this.#followers.delete(index);
    };
  }

  whenOutbox(written: OutboxReader): () => void {
    this.#outboxReaders.add(written);
    return () => this.#outboxReaders.delete(written);
  }

  outbox(from: number, limit: number): Promise<readonly OutboxEntry[]> {
    return this.#options.engine.outbox(this.#options.number, from, Math.min(limit, listMax));
  }

  async outboxDone(index: number): Promise<void> {
    await this.#machine.ask({ kind: 'reported', index });
  }

  /** What a turn changed is durable: whoever follows a request is told. */
  changed(changes: readonly Durable[]): void {
    if (this.#followers.size === 0) return;
    for (const change of changes) {
      for (const changed of this.#followers.get(touchedBy(change)) ?? []) changed();
    }
  }

  /** A turn with callbacks to make is durable. */
  outboxWritten(entries: readonly OutboxEntry[]): void {
    for (const written of this.#outboxReaders) written(entries);
  }

  /** Something may have been written that nobody was told of. */
  recovered(): void {
    for (const written of this.#outboxReaders) written(undefined);
  }

  /** Everything may have changed: the service was recovered, or is about to go. */
  reset(): void {
    for (const followers of this.#followers.values()) for (const changed of followers) changed();
  }

  /** The model is known to be free of a request that was taken away. */
  freed({ index, at }: FreeEffect): void {
    const { log, service } = this.#options;
    this.#noteFreed(index, at).catch((error: unknown) => {
      log.warn({ service, index, error }, 'end of a canceled call not noted');
    });
  }

  /** Nothing else is ever noted of the same request: the two would have to be put together. */
  async #noteFreed(index: number, freedAt: number): Promise<void> {
    const record = await this.#record(index);
    if (record === undefined) return;
    const after = writeAfterwards({ ...readAfterwards(record.after), freedAt });
    await this.#machine.ask({ kind: 'amend', record: { ...record, after } });
  }

  #read<Value>(look: (state: State) => Value): Promise<Value> {
    return new Promise((resolve, fail) => {
      this.#machine.read({
        run: (state, turn) => {
          const value = look(state);
          turn.release(() => resolve(value));
        },
        fail,
      });
    });
  }
}

const listMax = 1_000;

function isThere(state: State, index: number): boolean {
  return state.queues.input.messages.has(index);
}

function unexpected(reply: Reply): Error {
  return reply.kind === 'refused'
    ? reply.error
    : new PlatformError('internal', `the state machine answered ${reply.kind}`);
}
