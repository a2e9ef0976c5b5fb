// The rules of a service's queues once more, as plain as possible: arrays, loops over everything,
// no speed. It is told each command with its answer and each delivery, says when one of them breaks
// a rule, and knows what the queues must hold afterwards. Written from the rules, not the code.

import type { ServiceSettings } from '../../src/queue/settings.ts';
import {
  fact,
  isBefore,
  isLeased,
  type ModelConsumer,
  type ModelMessage,
  type ModelQueue,
  type ModelQueueName,
  type ModelRest,
  type Moment,
  markOf,
  newQueue,
} from './queue-model-state.ts';

export class QueueModel {
  settings: ServiceSettings;
  readonly working: string;
  readonly input: ModelQueue = newQueue('input');
  readonly sink: ModelQueue = newQueue('sink');
  readonly consumers = new Map<string, ModelConsumer>();
  /** How input messages came to rest, by index. */
  readonly rest = new Map<number, ModelRest>();
  /** Dead messages by the index they had, per queue. */
  readonly dead: Record<ModelQueueName, Map<number, ModelMessage>> = {
    input: new Map(),
    sink: new Map(),
  };
  /** Where the notice of a dead request was seen; several that die at once may come in any order. */
  noticeIndex: (id: string) => number = () => this.sink.lastIndex + 1;
  readonly #tokens = new Set<number>();

  constructor(settings: ServiceSettings, working: string) {
    this.settings = settings;
    this.working = working;
  }

  queue(name: ModelQueueName): ModelQueue {
    return name === 'input' ? this.input : this.sink;
  }

  message(name: ModelQueueName, index: number): ModelMessage | undefined {
    return this.queue(name).messages.find((message) => message.index === index);
  }

  get reserved(): number {
    return this.input.messages.filter((message) => message.place === 'held').length;
  }

  /** Whether only the working group's commits make a message leave. */
  isWorked(name: ModelQueueName): boolean {
    return name === 'input' && this.settings.declaresInstances;
  }

  capacity(name: ModelQueueName): number {
    return (name === 'input' ? this.settings.source : this.settings.sink).capacity;
  }

  isFull(name: ModelQueueName): boolean {
    const reserved = name === 'sink' ? this.reserved : 0;
    return this.queue(name).messages.length + reserved >= this.capacity(name);
  }

  /** The index that a put to a full, evicting queue drops. */
  evictable(name: ModelQueueName): ModelMessage | undefined {
    return this.queue(name).messages.find((message) => !isLeased(message));
  }

  insert(name: ModelQueueName, message: Omit<ModelMessage, 'marks' | 'place'>): ModelMessage {
    const queue = this.queue(name);
    const isTaken = queue.messages.some((other) => other.index === message.index);
    fact(!isTaken, `${name}: index ${message.index} was given twice`);
    queue.lastIndex = Math.max(queue.lastIndex, message.index);
    const inserted: ModelMessage = { ...message, marks: new Map(), place: 'none' };
    queue.messages.push(inserted);
    queue.messages.sort((one, other) => one.index - other.index);
    return inserted;
  }

  remove(name: ModelQueueName, message: ModelMessage, state: string): void {
    const queue = this.queue(name);
    queue.messages = queue.messages.filter((other) => other !== message);
    if (name !== 'input') return;
    const result = typeof message.place === 'number' ? message.place : 0;
    const isConvicted = state === 'dead' && this.isSuspect(message, this.working, 3);
    this.rest.set(message.index, { id: message.id, state, result, isConvicted });
  }

  /** A message leaves under its holders' hands: slots stay occupied, but EAS watchers'. */
  drop(name: ModelQueueName, message: ModelMessage, state: string): void {
    for (const { lease } of message.marks.values()) {
      const holder = lease === undefined ? undefined : this.consumers.get(lease.holder);
      if (lease === undefined || holder === undefined || holder.kind === 'eas') continue;
      holder.occupied.add(lease.token);
    }
    this.remove(name, message, state);
  }

  /** Messages that the working group is handed before this one, as far as is known now. */
  ahead(message: ModelMessage, now: Moment): number {
    return this.input.messages.filter((other) => {
      const mark = other.marks.get(this.working);
      const isAway = mark?.state === 'leased' || (mark !== undefined && mark.notBefore > now.mono);
      return !isAway && isBefore(other, message);
    }).length;
  }

  deliver(consumer: ModelConsumer, index: number, token: number, nth: number, now: Moment): void {
    const { queue, gid, key } = consumer;
    this.passTime(now, 0);
    const message = this.message(queue, index);
    fact(message !== undefined, `${key}: delivered ${index}, which is not in the ${queue}`);
    fact(consumer.open, `${key}: delivered ${index} to a closed watch`);
    const why = this.whyNot(consumer, message, now);
    fact(why === undefined, `${key}: delivered ${index} though ${why}`);
    this.#checkOrder(consumer, message, now);
    const mark = markOf(message, gid);
    fact(
      nth === mark.deliveries + 1,
      `${key}: delivery ${nth} of ${index} after ${mark.deliveries}`,
    );
    mark.deliveries = nth;
    consumer.again.delete(index);
    this.#takePlace(consumer, message);
    if (consumer.autoCommit) {
      this.commit(queue, message, gid);
      return;
    }
    fact(!this.#tokens.has(token), `${key}: token ${token} of ${index} is not new`);
    fact(token > mark.lastToken, `${key}: token ${token} of ${index} is lower than the last`);
    this.#tokens.add(token);
    mark.lastToken = token;
    const idleFrom = this.idleEnd(now);
    const lease = { token, holder: key, idleFrom, idleDueAt: idleFrom, resumeBy: 0 };
    Object.assign(mark, { state: 'leased', lease, notBefore: 0, returnedBy: '' });
  }

  /** When a lease that begins now has been idle for too long. */
  idleEnd(now: Moment): number {
    const { idleMs } = this.settings;
    return idleMs === 0 ? Number.POSITIVE_INFINITY : now.mono + idleMs;
  }

  /** Why this message may not go to this consumer now; undefined: it may. */
  whyNot(consumer: ModelConsumer, message: ModelMessage, now: Moment): string | undefined {
    const { queue, gid } = consumer;
    const mark = message.marks.get(gid);
    if (consumer.leaving) return 'it said Shutdown';
    if (!consumer.autoCommit && this.pending(consumer) >= consumer.window)
      return 'its window is full';
    if (consumer.tag !== '' && consumer.tag !== message.tag) return 'its filter does not match';
    if (mark?.state === 'leased') return 'it is leased';
    if (mark?.state === 'committed') return 'the group committed it';
    if (mark !== undefined && mark.notBefore > now.mono) return 'it backs off';
    if (this.held(consumer).some((held) => this.isSuspect(held, gid))) return 'it has a suspect';
    if (this.isSuspect(message, gid) && this.pending(consumer) > 0) return 'it has to be alone';
    const isOver = message.expiresAt !== 0 && message.expiresAt <= now.wall;
    if (isOver && !isLeased(message) && !consumer.again.has(message.index)) return 'it has expired';
    if (!this.isWorked(queue) || gid !== this.working || message.home === 'record')
      return undefined;
    if (message.place !== 'none' || this.settings.sink.autoEvict) return undefined;
    return this.isFull('sink') ? 'its result has no place' : undefined;
  }

  /** Rule 9: whether instances died with it so often that it has to be alone. */
  isSuspect(message: ModelMessage, gid: string, deaths = 2): boolean {
    return gid === this.working && (message.marks.get(gid)?.deaths ?? 0) >= deaths;
  }

  /** Suspects that could go to this consumer if it were empty. */
  suspectsFor(consumer: ModelConsumer, now: Moment): ModelMessage[] {
    const empty = { ...consumer, key: '', occupied: new Set<number>() };
    return this.queue(consumer.queue).messages.filter(
      (message) =>
        this.isSuspect(message, consumer.gid) &&
        this.whyNot(empty, message, now) === undefined &&
        this.whyLate(message, now) === undefined,
    );
  }

  /** Of several consumers one is left to messages that need not be alone. */
  mayPassOver(consumer: ModelConsumer, message: ModelMessage, now: Moment): boolean {
    const { queue, gid } = consumer;
    if (!this.isSuspect(message, gid)) return false;
    const isMember = (one: ModelConsumer) => one.open && one.queue === queue && one.gid === gid;
    const members = [...this.consumers.values()].filter(isMember);
    const hasOne = (one: ModelConsumer) => this.held(one).some((held) => this.isSuspect(held, gid));
    const alone = members.filter(hasOne);
    const others = this.suspectsFor(consumer, now).length - 1;
    return alone.length + others >= Math.max(1, members.length - 1);
  }

  /** While one group holds it, what is past its time is not taken; others may or may not get it. */
  whyLate(message: ModelMessage, now: Moment): string | undefined {
    const isOver = message.expiresAt !== 0 && message.expiresAt <= now.wall;
    return isOver ? 'its time is over' : undefined;
  }

  pending(consumer: ModelConsumer): number {
    return this.held(consumer).length + consumer.occupied.size;
  }

  /** The messages leased to this consumer. */
  held(consumer: ModelConsumer): ModelMessage[] {
    return this.queue(consumer.queue).messages.filter(
      (message) => message.marks.get(consumer.gid)?.lease?.holder === consumer.key,
    );
  }

  #checkOrder(consumer: ModelConsumer, chosen: ModelMessage, now: Moment): void {
    // The turn of a suspect comes before its consumer is empty.
    if (consumer.again.has(chosen.index) || this.isSuspect(chosen, consumer.gid)) return;
    for (const other of this.queue(consumer.queue).messages) {
      if (!isBefore(other, chosen) || this.whyLate(other, now) !== undefined) continue;
      if (this.whyNot(consumer, other, now) !== undefined) continue;
      const isBack = other.marks.get(consumer.gid)?.returnedBy === consumer.key;
      if (isBack || this.mayPassOver(consumer, other, now)) continue;
      fact(false, `${consumer.key}: delivered ${chosen.index} before ${other.index}`);
    }
  }

  #takePlace(consumer: ModelConsumer, message: ModelMessage): void {
    if (!this.isWorked(consumer.queue) || consumer.gid !== this.working) return;
    if (message.home === 'sink' && message.place === 'none') message.place = 'held';
  }

  /** A commit by `gid`, which must have been delivered the message. */
  commit(name: ModelQueueName, message: ModelMessage, gid: string): void {
    const mark = markOf(message, gid);
    Object.assign(mark, { state: 'committed', lease: undefined });
    const { groups } = this.queue(name);
    const isDone = this.isWorked(name)
      ? gid === this.working
      : [...groups].every((group) => message.marks.get(group)?.state === 'committed');
    if (isDone) this.remove(name, message, 'succeeded');
  }

  /** A delivery ended without success. */
  giveBack(
    name: ModelQueueName,
    message: ModelMessage,
    gid: string,
    how: { counted: boolean; notBefore?: number; returnedBy?: string; as?: 'died' | 'lost' },
  ): void {
    const mark = markOf(message, gid);
    const counts = how.counted && (!this.isWorked(name) || gid === this.working);
    mark.bad += counts ? 1 : 0;
    const { notBefore = 0, returnedBy = '' } = how;
    Object.assign(mark, { state: 'returned', lease: undefined, notBefore, returnedBy });
    if (how.counted && name === 'input' && gid === this.working) {
      if (how.as === 'died') mark.deaths += 1;
      else if (how.as === undefined && mark.deaths >= 2) mark.deaths = 0;
    }
    const { deliveryMax } = this.settings;
    if (mark.deaths > 2) this.#die(name, message);
    else if (deliveryMax > 0 && mark.bad >= deliveryMax) this.#die(name, message);
  }

  #die(name: ModelQueueName, message: ModelMessage): void {
    this.dead[name].set(message.index, message);
    const leavesNotice = name === 'input' && message.place === 'held' && this.settings.deadNotice;
    if (leavesNotice) {
      const { id, tag } = message;
      const index = this.noticeIndex(id);
      message.place = index;
      const none = { expiresAt: 0, finishBy: 0 };
      const plain = { ...none, priority: 0, body: '', home: 'sink' } as const;
      this.insert('sink', { ...plain, index, id, tag });
    }
    this.remove(name, message, 'dead');
  }

  /** A watch lost its connection or left. */
  close(consumer: ModelConsumer, how: 'cut' | 'dead' | 'drain' | 'replaced', now: Moment): void {
    consumer.open = false;
    consumer.leaving = false;
    // A consumer that comes again says what it still works on; EAS watchers cannot.
    const mayResume =
      (how === 'cut' && consumer.kind === 'stream') ||
      (how === 'replaced' && consumer.kind !== 'eas');
    for (const message of this.held(consumer)) {
      const mark = markOf(message, consumer.gid);
      if (mayResume) {
        if (mark.lease !== undefined) mark.lease.resumeBy = now.mono + this.settings.resumeMs;
        continue;
      }
      const counted = (how === 'cut' || how === 'dead') && consumer.queue === 'input';
      const as = how === 'dead' ? 'died' : 'lost';
      this.giveBack(consumer.queue, message, consumer.gid, { counted, as });
    }
    consumer.lostUntil = mayResume ? now.mono + this.settings.resumeMs : 0;
    if (!mayResume) consumer.occupied.clear();
  }

  /** What time alone does: unresumed leases end, unleased messages expire. */
  passTime(now: Moment, slackMs: number): void {
    for (const consumer of this.consumers.values()) {
      if (!consumer.open && consumer.lostUntil <= now.mono) consumer.occupied.clear();
    }
    const again = [...this.consumers.values()].flatMap((consumer) => [...consumer.again]);
    for (const queue of [this.input, this.sink]) {
      for (const message of [...queue.messages]) {
        for (const [gid, { lease }] of [...message.marks]) {
          if (lease === undefined || lease.resumeBy === 0 || lease.resumeBy > now.mono) continue;
          const counted = queue.name === 'input';
          this.giveBack(queue.name, message, gid, { counted, as: 'died' });
        }
        if (!queue.messages.includes(message)) continue;
        if (message.finishBy !== 0 && message.finishBy + slackMs <= now.wall) {
          this.drop(queue.name, message, 'expired');
          continue;
        }
        const isOver = message.expiresAt !== 0 && message.expiresAt + slackMs <= now.wall;
        if (again.includes(message.index) && queue.name === 'input') continue;
        if (!isOver || isLeased(message)) continue;
        this.remove(queue.name, message, 'expired');
      }
    }
  }
}
