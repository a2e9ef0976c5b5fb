// Everything that is asked of one process's queues passes here, whoever asks: actors of the
// simulation, the real protocol handlers, the real worker. It hands all of it on unchanged and
// tells the oracle what was asked and what was answered.

import type {
  CompleteRequest,
  GetRequest,
  GiveBackRequest,
  Handout,
  Identity,
  Message,
  PutAnswer,
  PutRequest,
  QueueCounters,
  Queues,
  QueueView,
  SearchAnswer,
  Watch,
  WatchRequest,
  WatchSink,
} from '../../src/broker/queues.ts';
import type { Requests } from '../../src/broker/requests.ts';
import type { QueueName } from '../../src/queue/message.ts';
import { type Answer, refusalOf } from './answer.ts';
import { JudgedWatches } from './judged-watches.ts';
import type { ResultNote } from './ledger.ts';
import type { Oracle } from './oracle.ts';
import type { Results } from './results.ts';
import { serviceName } from './service.ts';
import type { Stage } from './stage.ts';

/** A promise that is never settled: nobody hears from a process that is dead. */
const never = new Promise<never>(() => undefined);

export interface Judges {
  readonly oracle: Oracle;
  readonly results: Results;
}

export class JudgedQueues implements Queues {
  readonly service: string;
  readonly requests: Requests;
  readonly #inner: Queues;
  readonly #stage: Stage;
  readonly #oracle: Oracle;
  readonly #results: Results;
  readonly #watches: JudgedWatches;
  #isAlive = true;

  constructor(inner: Queues, stage: Stage, { oracle, results }: Judges) {
    this.service = inner.service;
    this.requests = inner.requests;
    this.#inner = inner;
    this.#stage = stage;
    this.#oracle = oracle;
    this.#results = results;
    this.#watches = new JudgedWatches(stage, oracle, results);
  }

  /** The process is killed: nothing that comes from it counts any more. */
  died(): void {
    this.#isAlive = false;
    this.#watches.died();
  }

  async put(queue: QueueName, request: PutRequest): Promise<PutAnswer> {
    const { ledger } = this.#oracle;
    if (queue === 'input') {
      const entry = ledger.byPayload(request.payload);
      const askedAt = this.#stage.now;
      return this.#judge(
        () => this.#inner.put(queue, request),
        (answer) => {
          if (entry !== undefined) this.#oracle.putAnswered(entry, askedAt, answer);
        },
      );
    }
    const entry = request.id === undefined ? undefined : ledger.byId(request.id);
    const isResult = queue === 'sink' && request.by.gid === serviceName;
    if (entry !== undefined && isResult) this.#oracle.resultAsked(entry);
    return this.#judge(
      () => this.#inner.put(queue, request),
      (answer) => {
        if (entry === undefined || !isResult || answer.kind !== 'ok') return;
        this.#oracle.resultPut(entry, request.by.uid, answer.value.index);
      },
    );
  }

  async get(
    queue: QueueName,
    request: GetRequest,
    signal: AbortSignal | undefined,
  ): Promise<Handout> {
    const askedAt = this.#stage.now;
    const abort = (): void => {
      this.#results.aborts += 1;
    };
    signal?.addEventListener('abort', abort, { once: true });
    let handout: Handout;
    try {
      handout = await this.#judge(() => this.#inner.get(queue, request, signal));
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    if (queue !== 'sink') return handout;
    const notes = this.#attempt(() =>
      handout.messages.map((message) => this.#seen(message, request, askedAt)),
    );
    return {
      messages: handout.messages,
      taken: () => this.#finish('took', handout, notes, request),
      cut: () => this.#finish('cut', handout, notes, request),
    };
  }

  #seen(message: Message, request: GetRequest, askedAt: number): ResultNote {
    const { index } = message;
    this.#stage.note(`get sink ${index}${request.autoDelete ? ' with auto delete' : ''}`);
    const by = request.autoDelete ? 'take' : 'get';
    const note = this.#results.seen(message, { by, askedAt });
    if (request.autoDelete) note.hiddenSince = this.#stage.now;
    return note;
  }

  #finish(
    how: 'took' | 'cut',
    handout: Handout,
    notes: readonly ResultNote[],
    request: GetRequest,
  ): void {
    if (!this.#isAlive) return;
    this.#stage.note(`${how} [${notes.map(({ index }) => index).join(' ')}]`);
    if (request.autoDelete) for (const note of notes) this.#results.finished(note, how);
    if (how === 'took') handout.taken();
    else handout.cut();
  }

  count(
    queue: QueueName,
    filter: {
      readonly tags: ReadonlyMap<string, string>;
      readonly id: string | undefined;
      readonly priority: number | undefined;
    },
  ): Promise<number> {
    return this.#judge(() => this.#inner.count(queue, filter));
  }

  search(queue: QueueName, index: number, by: Identity): Promise<SearchAnswer | undefined> {
    return this.#judge(() => this.#inner.search(queue, index, by));
  }

  view(queue: QueueName): QueueView {
    return this.#inner.view(queue);
  }

  payloadBytesMax(queue: QueueName): number {
    return this.#inner.payloadBytesMax(queue);
  }

  counters(queue: QueueName): QueueCounters {
    return this.#inner.counters(queue);
  }

  async commit(queue: QueueName, indexes: readonly number[], by: Identity): Promise<void> {
    const ask = (): Promise<void> => this.#inner.commit(queue, indexes, by);
    if (queue === 'sink') {
      const { results } = this.#oracle.ledger;
      const notes = indexes.map((index) => results.get(index)).filter((note) => note !== undefined);
      for (const note of notes) note.removals += 1;
      return this.#judge(ask, (answer) => {
        for (const note of notes) this.#results.committed(note, answer);
      });
    }
    if (queue !== 'input') return this.#judge(ask);
    const asked = indexes
      .map((index) => this.#oracle.ledger.byIndex(index))
      .filter((entry) => entry !== undefined)
      .map((entry) => ({ entry, ...this.#oracle.commitAsked(by, entry) }));
    return this.#judge(ask, (answer) => {
      for (const how of asked) this.#oracle.commitAnswered(how.entry, answer, how);
    });
  }

  async negative(
    queue: QueueName,
    indexes: readonly number[],
    by: Identity,
    code: string,
    reason: string,
  ): Promise<void> {
    if (queue === 'input') {
      for (const index of indexes) {
        const entry = this.#oracle.ledger.byIndex(index);
        if (entry !== undefined) this.#oracle.negativeAsked(by, entry);
      }
    }
    return this.#judge(() => this.#inner.negative(queue, indexes, by, code, reason));
  }

  delete(queue: QueueName, indexes: readonly number[]): Promise<void> {
    return this.#judge(() => this.#inner.delete(queue, indexes));
  }

  truncate(queue: QueueName, below: number): Promise<void> {
    return this.#judge(() => this.#inner.truncate(queue, below));
  }

  end(queue: QueueName, force: boolean): Promise<void> {
    return this.#judge(() => this.#inner.end(queue, force));
  }

  reopen(queue: QueueName): Promise<void> {
    return this.#judge(() => this.#inner.reopen(queue));
  }

  watch(queue: QueueName, request: WatchRequest, sink: WatchSink): Promise<Watch> {
    if (!this.#isAlive) return never;
    const watch = this.#watches.begin(queue, request, sink);
    return this.#judge(
      () => this.#inner.watch(queue, request, watch.sink),
      (answer) => watch.answered(answer),
    ).then((opened) => watch.face(opened));
  }

  async complete(request: CompleteRequest): Promise<number> {
    const { deliveryId, payload } = request;
    const asked = this.#oracle.completeAsked(deliveryId);
    if (asked === undefined) return this.#judge(() => this.#inner.complete(request));
    const hasResult = request.outcome === 'failed' || (payload?.length ?? 0) > 0;
    const how = { ...asked, as: request.outcome, hasResult };
    return this.#judge(
      () => this.#inner.complete(request),
      (answer) => {
        this.#oracle.completeAnswered(deliveryId, answer, how);
        const isStale = answer.kind === 'refused' && answer.code === 'stale_delivery';
        if (isStale && asked.isFirst && payload !== undefined) this.#results.refused(payload);
      },
    );
  }

  async commitDelivery(queue: QueueName, deliveryId: number): Promise<void> {
    const ask = async (): Promise<void> => {
      await this.#inner.commitDelivery(queue, deliveryId);
    };
    const { groups, holders } = this.#oracle;
    const token = queue === 'input' ? holders.token(deliveryId) : undefined;
    if (token === undefined) return this.#judge(ask);
    if (!groups.isWorked) {
      const by = { gid: token.holder.gid, uid: token.holder.key };
      const how = this.#oracle.commitAsked(by, token.entry);
      return this.#judge(ask, (answer) => this.#oracle.commitAnswered(token.entry, answer, how));
    }
    const asked = this.#oracle.completeAsked(deliveryId);
    if (asked === undefined) return this.#judge(ask);
    const how = { ...asked, as: 'succeeded', hasResult: false } as const;
    return this.#judge(ask, (answer) => {
      const none = answer.kind === 'ok' ? ({ kind: 'ok', value: 0 } as const) : answer;
      this.#oracle.completeAnswered(deliveryId, none, how);
    });
  }

  async giveBack(queue: QueueName, request: GiveBackRequest): Promise<void> {
    const ask = (): Promise<void> => this.#inner.giveBack(queue, request);
    const { deliveryId, counted, code, delayMs, occupies = false } = request;
    if (queue !== 'input') return this.#judge(ask);
    const askedAt = this.#stage.now;
    const asked = { deliveryId, counted, code, occupies };
    const entry = this.#oracle.returnAsked(deliveryId, asked);
    return this.#judge(ask, (answer) => {
      if (entry === undefined) return;
      this.#oracle.returnAnswered(entry, answer, { ...asked, delayMs, askedAt });
    });
  }

  freed(queue: QueueName, deliveryId: number): void {
    if (!this.#isAlive) return;
    this.#stage.note(`freed ${deliveryId}`);
    this.#oracle.holders.freed(deliveryId);
    this.#inner.freed(queue, deliveryId);
  }

  async touch(queue: QueueName, deliveryId: number): Promise<void> {
    const askedAt = this.#stage.now;
    return this.#judge(
      () => this.#inner.touch(queue, deliveryId),
      (answer) => {
        if (answer.kind === 'ok') this.#oracle.touched(deliveryId, askedAt);
      },
    );
  }

  progress(deliveryId: number, text: string): Promise<void> {
    return this.#judge(() => this.#inner.progress(deliveryId, text));
  }

  leaseOf(deliveryId: number): ReturnType<Queues['leaseOf']> {
    return this.#inner.leaseOf(deliveryId);
  }

  checkpoint(deliveryId: number, data: Uint8Array): Promise<void> {
    return this.#judge(() => this.#inner.checkpoint(deliveryId, data));
  }

  checkpointOf(index: number): Promise<Uint8Array | undefined> {
    return this.#judge(() => this.#inner.checkpointOf(index));
  }

  /** Runs a call and tells what became of it, before whoever called learns of it. */
  async #judge<Value>(
    call: () => Promise<Value>,
    answered: (answer: Answer<Value>) => void = () => undefined,
  ): Promise<Value> {
    if (!this.#isAlive) return never;
    let value: Value;
    try {
      value = await call();
    } catch (error) {
      if (!this.#isAlive) return never;
      this.#attempt(() => answered(refusalOf(error)));
      throw error;
    }
    if (!this.#isAlive) return never;
    this.#attempt(() => answered({ kind: 'ok', value }));
    return value;
  }

  /** What the oracle finds ends the run and not the broker. */
  #attempt<Value>(judge: () => Value): Value {
    try {
      return judge();
    } catch (error) {
      this.#stage.failure ??= error;
      throw error;
    }
  }
}
