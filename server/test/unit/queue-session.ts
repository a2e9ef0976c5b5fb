// Plays commands on a real broker and on the model side by side, and compares what both hold after
// each of them.

import { errorKinds, PlatformError } from '@sluice/sdk/wire';
import type { Delivery, WatchEnd } from '../../src/broker/queues.ts';
import type { ServiceSettings } from '../../src/queue/settings.ts';
import { QueueModel } from './queue-model.ts';
import {
  fact,
  isLeased,
  type ModelConsumer,
  type ModelMessage,
  type ModelQueueName,
  type Moment,
  markOf,
} from './queue-model-state.ts';
import { text } from './queue-requests.ts';
import { Consumer, serviceName, World } from './queue-world.ts';

type Event = { readonly mono: number; readonly wall: number; readonly slot: string } & (
  | { readonly kind: 'deliver'; readonly delivery: Delivery }
  | { readonly kind: 'voided'; readonly token: number }
  | { readonly kind: 'closed'; readonly reason: WatchEnd }
);

/** What a consumer of the test is, whether it is connected or not. */
export type Slot = Pick<
  ModelConsumer,
  'key' | 'queue' | 'gid' | 'kind' | 'window' | 'tag' | 'autoCommit'
>;

/** How long after its time a sweep may come. */
const sweepSlackMs = 2_000;

export class Session {
  readonly world: World;
  readonly model: QueueModel;
  readonly slots: readonly Slot[];
  /** Every token that was ever handed out, with the slot that got it. */
  readonly tokens: { readonly slot: string; readonly queue: ModelQueueName; token: number }[] = [];
  /** Takeovers since time last moved: too many are refused. */
  takeovers = 0;
  /** What idempotency keys were first used for. */
  readonly keys = new Map<string, { readonly index: number; readonly body: string }>();
  readonly #watches = new Map<string, Consumer>();
  #events: Event[] = [];
  #sinkIds = new Map<string, number>();
  /** The last index of the sink when both sides were compared last. */
  #sinkFloor = 0;

  constructor(settings: ServiceSettings, slots: readonly Slot[], seed: number) {
    this.world = new World(settings, seed);
    this.model = new QueueModel(settings, serviceName);
    this.model.noticeIndex = (id) => {
      // One that was put anew may have left a notice before.
      const seen = this.#sinkIds.get(id) ?? 0;
      return seen > this.#sinkFloor ? seen : this.#lowestFree();
    };
    this.slots = slots;
  }

  /** A notice that was evicted before anybody saw it had one of the indexes given out just now. */
  #lowestFree(): number {
    const taken = new Set(this.#sinkIds.values());
    for (const { index } of this.model.sink.messages) taken.add(index);
    let index = this.#sinkFloor + 1;
    while (taken.has(index)) index += 1;
    return index;
  }

  get now(): Moment {
    return this.world.clock.now();
  }

  watchOf(key: string): Consumer | undefined {
    return this.#watches.get(key);
  }

  /** The answer of a command, or the code of its refusal. */
  async ask<Value>(command: Promise<Value>): Promise<{ value: Value } | { code: string }> {
    try {
      return { value: await this.world.run(command) };
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      fact(error.code in errorKinds, `unknown code ${error.code}`);
      return { code: error.code };
    } finally {
      await this.settle();
    }
  }

  /** Lets everything happen that follows, then looks at the sink for notices of the dead. */
  async settle(): Promise<void> {
    await this.world.settle();
    const handout = await this.world.handout('sink', { length: 1000, autoDelete: false });
    for (const message of handout.messages) {
      if (message.payload.length === 0) this.#sinkIds.set(message.id, message.index);
    }
    handout.taken();
  }

  async advance(ms: number): Promise<void> {
    this.takeovers = 0;
    await this.world.advance(ms);
    await this.settle();
  }

  /** The process is killed; what was told to its consumers before is judged first. */
  async crash(): Promise<void> {
    this.judgeEvents();
    this.#watches.clear();
    await this.world.crash();
    await this.settle();
  }

  /** Connects a slot; answers the refusal, if any. */
  async connect(slot: Slot, holding: readonly number[]): Promise<string | undefined> {
    const { key, queue, gid, kind, window, tag, autoCommit } = slot;
    const watch = { by: { gid, uid: key }, kind, window, autoCommit, holding };
    const consumer = new Consumer(queue, {
      ...watch,
      tags: tag === '' ? new Map() : new Map([['tag', tag]]),
      from: 0,
      indexOnly: false,
      id: undefined,
    });
    const record = (event: Omit<Event, 'mono' | 'wall' | 'slot'>): void => {
      // The union loses its tag in Omit; each caller below passes one whole event.
      this.#events.push({ ...this.now, slot: key, ...event } as Event);
    };
    const answer = await this.ask(
      this.world.queues.watch(queue, consumer.request, {
        deliver: (delivery) => record({ kind: 'deliver', delivery } as never),
        voided: (token) => record({ kind: 'voided', token } as never),
        closed: (reason) => record({ kind: 'closed', reason } as never),
        buffered: () => 0,
      }),
    );
    if ('code' in answer) return answer.code;
    consumer.watch = answer.value;
    this.#watches.set(key, consumer);
    return undefined;
  }

  forget(key: string): void {
    this.#watches.delete(key);
  }

  /** Judges everything that consumers were told since the last call. */
  judgeEvents(): void {
    const events = inFairOrder(this.#events);
    this.#events = [];
    for (const event of events) {
      const consumer = this.model.consumers.get(event.slot);
      fact(consumer !== undefined, `${event.slot}: told something before it watched`);
      switch (event.kind) {
        case 'deliver':
          this.#judgeDelivery(consumer, event.delivery, event);
          break;
        case 'voided':
          this.#judgeVoid(consumer, event.token, event);
          break;
        case 'closed':
          this.#judgeClose(consumer, event.reason, event);
          break;
      }
    }
    for (const consumer of this.model.consumers.values()) consumer.again.clear();
  }

  #judgeDelivery(consumer: ModelConsumer, delivery: Delivery, now: Moment): void {
    const { index, deliveryId, deliveries } = delivery;
    this.model.passTime(now, 0);
    const message = this.model.message(consumer.queue, index);
    this.model.deliver(consumer, index, deliveryId, deliveries, now);
    fact(message?.body === text(delivery.payload), `${consumer.key}: wrong payload of ${index}`);
    fact(message.id === delivery.id, `${consumer.key}: wrong id of ${index}`);
    if (deliveryId === 0) return;
    this.tokens.push({ slot: consumer.key, queue: consumer.queue, token: deliveryId });
  }

  #judgeVoid(consumer: ModelConsumer, token: number, now: Moment): void {
    this.model.passTime(now, 0);
    const message = this.model
      .held(consumer)
      .find((held) => held.marks.get(consumer.gid)?.lease?.token === token);
    if (message === undefined) {
      const wasHere = this.tokens.some((known) => known.token === token);
      fact(wasHere, `${consumer.key}: voided ${token}, which it never had`);
      return;
    }
    const lease = markOf(message, consumer.gid).lease;
    fact(
      lease !== undefined && lease.idleFrom <= now.mono,
      `${consumer.key}: the lease of ${message.index} was taken without a reason`,
    );
    if (consumer.kind !== 'eas') consumer.occupied.add(token);
    const how = { counted: true, returnedBy: consumer.key };
    this.model.giveBack(consumer.queue, message, consumer.gid, how);
  }

  #judgeClose(consumer: ModelConsumer, reason: WatchEnd, now: Moment): void {
    if (reason === 'ended') {
      this.model.passTime(now, 0);
      const queue = this.model.queue(consumer.queue);
      fact(queue.ended, `${consumer.key}: closed as ended, the queue is not`);
      fact(queue.messages.length === 0, `${consumer.key}: closed as ended, messages are left`);
      consumer.open = false;
      this.forget(consumer.key);
      return;
    }
    fact(reason === 'replaced', `${consumer.key}: closed as ${reason}`);
  }

  drop(queue: ModelQueueName, message: ModelMessage, state: string): void {
    this.model.drop(queue, message, state);
  }

  /** Both must hold the same now, and nothing that could be delivered may wait. */
  async compare(): Promise<void> {
    const { now } = this;
    this.model.passTime(now, 0);
    await this.#compareContent('input');
    await this.#compareContent('sink');
    if (!this.model.settings.sink.autoEvict) {
      const { reserved } = this.world.view('sink');
      fact(reserved === this.model.reserved, `${reserved} reserved, not ${this.model.reserved}`);
    }
    for (const consumer of this.model.consumers.values()) {
      if (consumer.open) this.#compareConsumer(consumer, now);
    }
    await this.#compareDead();
    await this.#comparePositions();
    this.#sinkFloor = this.model.sink.lastIndex;
  }

  async #compareContent(name: ModelQueueName): Promise<void> {
    const found = await this.world.read(name);
    const settings = name === 'input' ? this.model.settings.source : this.model.settings.sink;
    if (name === 'sink' && settings.autoEvict) this.#acceptEvictions(found.map(([index]) => index));
    const queue = this.model.queue(name);
    const expected = queue.messages.map(({ index, body }) => `${index}:${body}`).join(' ');
    const actual = found.map(([index, body]) => `${index}:${body}`).join(' ');
    fact(actual === expected, `${name} holds [${actual}], not [${expected}]`);
    const view = this.world.view(name);
    fact(view.length === found.length, `${name}: length ${view.length}, not ${found.length}`);
    fact(view.lastIndex === queue.lastIndex, `${name}: last ${view.lastIndex}`);
    fact(view.ended === queue.ended, `${name}: ended ${view.ended}`);
    if (queue.groups.size > 1) return;
    const leased = queue.messages.filter(isLeased).length;
    fact(view.leased === leased, `${name}: ${view.leased} leased, not ${leased}`);
    const rest = view.waiting + view.backingOff;
    fact(rest === found.length - leased, `${name}: ${rest} wait or back off`);
  }

  /** An evicting sink may have dropped its oldest results that nobody holds. */
  #acceptEvictions(found: readonly number[]): void {
    const { messages } = this.model.sink;
    const gone = messages.filter(({ index }) => !found.includes(index));
    const kept = messages.filter((message) => !gone.includes(message) && !isLeased(message));
    for (const message of gone) {
      const isOldest = kept.every((other) => other.index > message.index);
      fact(isOldest, `sink: ${message.index} was evicted before an older one`);
      fact(found.length + this.model.reserved >= this.model.capacity('sink'), 'evicted too early');
      this.model.remove('sink', message, 'dropped');
    }
  }

  #compareConsumer(consumer: ModelConsumer, now: Moment): void {
    const { key, queue, gid } = consumer;
    for (const message of this.model.held(consumer)) {
      const lease = markOf(message, gid).lease;
      const isOverdue = lease !== undefined && lease.idleDueAt + sweepSlackMs <= now.mono;
      fact(!isOverdue, `${key}: the idle lease of ${message.index} was not taken`);
    }
    const seen = this.world.view(queue).consumers.find((view) => view.uid === key);
    fact(seen !== undefined, `${key}: not among the consumers`);
    const pending = this.model.held(consumer).length;
    fact(seen.pending === pending, `${key}: ${seen.pending} pending, not ${pending}`);
    const suspects = this.model.suspectsFor(consumer, now).map(({ index }) => index);
    const isReserved = seen.pending > 0 && suspects.includes(seen.suspect);
    for (const message of this.model.queue(queue).messages) {
      const why = this.model.whyNot(consumer, message, now) ?? this.model.whyLate(message, now);
      const isFine = why !== undefined || isReserved;
      fact(isFine, `${key}: could have ${message.index}, which waits`);
    }
    const { ended, messages } = this.model.queue(queue);
    fact(!ended || messages.length > 0, `${key}: still open on an ended, empty queue`);
  }

  async #compareDead(): Promise<void> {
    for (const name of ['input', 'sink'] as const) {
      const rear = await this.world.read(name === 'input' ? 'inputRear' : 'sinkRear');
      const dead = [...this.model.dead[name].values()].map(({ body }) => body);
      for (const [, body] of rear) fact(dead.includes(body), `${name}: "${body}" is not dead`);
    }
  }

  async #comparePositions(): Promise<void> {
    const { working, settings, input } = this.model;
    if (!settings.declaresInstances) return;
    for (const message of input.messages) {
      if (message.marks.get(working)?.state === 'leased') continue;
      const by = { gid: working, uid: '' };
      const found = await this.world.run(this.world.queues.search('input', message.index, by));
      const ahead = this.model.ahead(message, this.now);
      const told = found?.waitCount;
      fact(told === ahead, `${told} are said to go before ${message.index}, not ${ahead}`);
    }
  }

  /** Every message that left the input has a record that says how. */
  async compareRecords(): Promise<void> {
    const records = await this.world.run(this.world.engine.records(1, 0, 1000));
    for (const [index, rest] of this.model.rest) {
      const record = records.find((candidate) => candidate.index === index);
      fact(record !== undefined, `no record of ${index}`);
      fact(record.id === rest.id, `record of ${index}: id ${record.id}`);
      fact(record.resultIndex === rest.result, `record of ${index}: ${record.resultIndex}`);
      const isKnown = rest.state !== 'taken';
      fact(!isKnown || record.state === rest.state, `record of ${index}: ${record.state}`);
      const isConvicted = record.cause === 'poison';
      fact(isConvicted === rest.isConvicted, `record of ${index}: ${record.cause}`);
    }
    for (const { index } of records) {
      fact(this.model.rest.has(index), `a record of ${index}, which is not at rest`);
    }
  }
}

/** Consumers learn of one turn in any order among themselves: deliveries of one moment are judged
 * in the order of their tokens, ends last. Each consumer must be told its own in that order. */
function inFairOrder(events: readonly Event[]): Event[] {
  checkOwnOrder(events);
  const ends = events.filter((event) => event.kind === 'closed');
  const rest = events.filter((event) => event.kind !== 'closed');
  const tokenOf = (event: Event): number =>
    event.kind === 'deliver' ? event.delivery.deliveryId : 0;
  for (const mono of new Set(rest.map((event) => event.mono))) {
    const places = [...rest.keys()].filter((at) => {
      const event = rest[at];
      return event !== undefined && event.mono === mono && tokenOf(event) > 0;
    });
    const sorted = places.flatMap((at) => rest[at] ?? []);
    sorted.sort((one, other) => tokenOf(one) - tokenOf(other));
    for (const [nth, at] of places.entries()) rest.splice(at, 1, ...sorted.slice(nth, nth + 1));
  }
  return [...rest, ...ends];
}

function checkOwnOrder(events: readonly Event[]): void {
  const last = new Map<string, number>();
  const ended = new Set<string>();
  for (const event of events) {
    const { slot } = event;
    fact(!ended.has(slot), `${slot}: told something after its end`);
    if (event.kind === 'closed' && event.reason === 'ended') ended.add(slot);
    if (event.kind !== 'deliver' || event.delivery.deliveryId === 0) continue;
    const { deliveryId, index } = event.delivery;
    fact(deliveryId > (last.get(slot) ?? 0), `${slot}: ${index} came out of order`);
    last.set(slot, deliveryId);
  }
}
