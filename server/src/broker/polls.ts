// Reads of one service: gets with long polls, counts. A waiting get holds nothing; it is woken by
// messages that become visible, those that ask for a request id by that id alone.

import { PlatformError } from '@sluice/sdk/wire';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { DeleteCommand } from '../queue/decide-remove.ts';
import type { QueueName, StoredMessage } from '../queue/message.ts';
import { type Filter, filterOf } from '../queue/messages.ts';
import type { QueueState, State } from '../queue/state.ts';
import { scan } from '../queue/view.ts';
import { type Carried, type CarriedBodies, placeOf, usualCarriage } from './carried-bodies.ts';
import { answerBytesMax, type Loader } from './loader.ts';
import type { Machine } from './machine.ts';
import type { NextInput } from './next-input.ts';
import type { GetRequest, Handout, Message } from './queues.ts';
import type { ReadTurn } from './turn-runner.ts';

/** Gets that may wait in one service. */
export const pollsMax = 65_536;
/** Rows looked at in one turn. */
const scanSteps = 20_000;

interface Poll {
  readonly queue: QueueName;
  readonly request: GetRequest;
  readonly resolve: (handout: Handout) => void;
  readonly reject: (error: Error) => void;
  filter: Filter | undefined;
  from: number;
  /** Where the scan goes on, and what it found so far. */
  next: number;
  found: number[];
  timer: Timer | undefined;
  isOver: boolean;
  /** In the inbox of the machine, or waiting to be woken. */
  isAsked: boolean;
  isTimedOut: boolean;
  isRegistered: boolean;
  stopListening: () => void;
}

export class Polls {
  readonly #machine: Machine;
  readonly #loader: Loader;
  readonly #clock: Clock;
  readonly #nextInput: NextInput | undefined;
  readonly #bodies: CarriedBodies;
  readonly #byId = new Map<string, Set<Poll>>();
  readonly #others: Readonly<Record<QueueName, Set<Poll>>> = {
    input: new Set(),
    sink: new Set(),
    inputRear: new Set(),
    sinkRear: new Set(),
  };
  #waiting = 0;
  /** Handed out and taken, but not durably deleted yet. */
  readonly #owed = new Set<DeleteCommand>();

  constructor(
    machine: Machine,
    loader: Loader,
    options: {
      readonly clock: Clock;
      readonly nextInput?: NextInput;
      readonly bodies: CarriedBodies;
    },
  ) {
    this.#machine = machine;
    this.#loader = loader;
    this.#clock = options.clock;
    this.#nextInput = options.nextInput;
    this.#bodies = options.bodies;
  }

  get(queue: QueueName, request: GetRequest, signal: AbortSignal | undefined): Promise<Handout> {
    return new Promise((resolve, reject) => {
      if (this.#waiting >= pollsMax) {
        const text = `${pollsMax} gets wait already; come back later`;
        reject(new PlatformError('rate_limited', text, { retryAfterMs: 1_000 }));
        return;
      }
      if (signal?.aborted === true) {
        reject(cancelled());
        return;
      }
      const poll: Poll = {
        queue,
        request,
        resolve,
        reject,
        filter: undefined,
        from: request.from,
        next: 0,
        found: [],
        timer: undefined,
        isOver: false,
        isAsked: false,
        isTimedOut: request.timeoutMs <= 0,
        isRegistered: false,
        stopListening: () => undefined,
      };
      const abort = (): void => this.#fail(poll, cancelled());
      signal?.addEventListener('abort', abort, { once: true });
      poll.stopListening = () => signal?.removeEventListener('abort', abort);
      this.#ask(poll, true);
    });
  }

  /** A message became visible: whoever waits for it looks again, in this or the next turn. */
  wake(queue: QueueName, index: number, state: State): void {
    if (queue === 'input') this.#nextInput?.came();
    if (this.#waiting === 0) return;
    const { messages } = state.queues[queue];
    for (const poll of this.#others[queue]) {
      if (poll.isAsked || index < poll.from) continue;
      if (poll.filter !== undefined && !messages.matches(index, poll.filter)) continue;
      this.#ask(poll, false);
      // One message is for one of those who take whatever comes.
      if (takesAny(poll)) break;
    }
    if (this.#byId.size === 0) return;
    const hash = messages.idHash(index);
    if (hash === undefined) return;
    for (const poll of this.#byId.get(keyOf(queue, hash)) ?? []) {
      if (!poll.isAsked) this.#ask(poll, false);
    }
  }

  failAll(error: Error): void {
    for (const set of [...Object.values(this.#others), ...this.#byId.values()]) {
      for (const poll of [...set]) this.#fail(poll, error);
    }
  }

  count(
    queue: QueueName,
    filter: { readonly tags: ReadonlyMap<string, string>; readonly id: string | undefined },
    priority: number | undefined,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      let next = 1;
      let total = 0;
      const run = (state: State, turn: ReadTurn): void => {
        const { messages, lanes, hidden } = state.queues[queue];
        const wanted = filterOf(state.key, filter.tags, filter.id);
        if (wanted === undefined && hidden === 0) {
          total = priority === undefined ? messages.length : lanes.count(priority);
          turn.release(() => resolve(total));
          return;
        }
        const step = scan(state.queues[queue], next, wanted, scanSteps, scanSteps);
        for (const index of step.found) {
          if (priority === undefined || messages.priority(index) === priority) total += 1;
        }
        next = step.next;
        if (next === 0) turn.release(() => resolve(total));
        else this.#machine.read({ run, fail: reject });
      };
      this.#machine.read({ run, fail: reject });
    });
  }

  #ask(poll: Poll, isFirst: boolean): void {
    poll.isAsked = true;
    if (!isFirst) poll.next = 0;
    this.#machine.read({
      run: (state, turn) => this.#run(poll, state, turn),
      fail: (error) => this.#fail(poll, error),
    });
  }

  #run(poll: Poll, state: State, turn: ReadTurn): void {
    if (poll.isOver) return;
    poll.isAsked = false;
    const queue = state.queues[poll.queue];
    const { request } = poll;
    // What is there now is not for a get from -1; later turns go on from the same place.
    if (poll.from < 0) poll.from = queue.lastIndex + 1;
    if (poll.filter === undefined) poll.filter = filterOf(state.key, request.tags, request.id);
    if (poll.next === 0) {
      poll.next = Math.max(1, poll.from);
      poll.found = [];
    }
    const rest = request.length - poll.found.length;
    const step = scan(queue, poll.next, poll.filter, rest, scanSteps);
    poll.found.push(...step.found);
    poll.next = step.next;
    const isEnough = poll.found.length >= request.length;
    if (!isEnough && step.next !== 0) {
      // A long queue is looked through over several turns.
      poll.isAsked = true;
      this.#machine.read({
        run: (nextState, nextTurn) => this.#run(poll, nextState, nextTurn),
        fail: (error) => this.#fail(poll, error),
      });
      return;
    }
    if (isEnough || poll.isTimedOut) {
      this.#answer(poll, queue, turn);
      return;
    }
    this.#wait(poll);
  }

  #wait(poll: Poll): void {
    poll.next = 0;
    if (poll.isRegistered) return;
    poll.isRegistered = true;
    this.#register(poll);
    this.#waiting += 1;
    poll.timer = this.#clock.after(poll.request.timeoutMs, () => {
      poll.isTimedOut = true;
      if (!poll.isOver && !poll.isAsked) this.#ask(poll, false);
    });
  }

  #register(poll: Poll): void {
    const hash = poll.filter?.id;
    if (hash === undefined) {
      this.#others[poll.queue].add(poll);
      return;
    }
    const key = keyOf(poll.queue, hash);
    const set = this.#byId.get(key) ?? new Set<Poll>();
    this.#byId.set(key, set);
    set.add(poll);
    const { stopListening } = poll;
    poll.stopListening = () => {
      stopListening();
      set.delete(poll);
      if (set.size === 0 && this.#byId.get(key) === set) this.#byId.delete(key);
    };
  }

  #answer(poll: Poll, queue: QueueState, turn: ReadTurn): void {
    this.#over(poll);
    const indexes: number[] = [];
    let bytes = 0;
    for (const index of poll.found) {
      const facts = queue.messages.facts(index);
      if (facts === undefined || facts.hidden) continue;
      if (indexes.length > 0 && bytes + facts.size > answerBytesMax) break;
      bytes += facts.size;
      indexes.push(index);
    }
    const { name } = queue;
    if (poll.request.autoDelete) {
      for (const index of indexes) turn.apply({ kind: 'hide', queue: name, index, hidden: true });
    }
    const { life } = this.#machine;
    turn.release(() => this.#handOut(poll, name, indexes, life));
  }

  #handOut(poll: Poll, queue: QueueName, indexes: readonly number[], life: number): void {
    const { autoDelete } = poll.request;
    const load = async (): Promise<void> => {
      const messages = await this.#loader.load(queue, indexes);
      const carried = await this.#carry(messages.filter((message) => message !== undefined));
      // What has no room in this answer is there for the next one.
      const ends =
        carried.length < messages.length ? carried.at(-1)?.message.meta.index : undefined;
      const taken = ends === undefined ? indexes.length : indexes.indexOf(ends) + 1;
      const handed = indexes.slice(0, taken);
      if (autoDelete && taken < indexes.length) this.#show(queue, indexes.slice(taken), life);
      const show = (): void => this.#show(queue, handed, life);
      poll.resolve(this.#handout(poll, queue, handed, carried, show));
    };
    load().catch((error: Error) => {
      if (autoDelete) this.#show(queue, indexes, life);
      poll.reject(error);
    });
  }

  /** With their bodies, as many as one answer has room for. */
  async #carry(messages: readonly StoredMessage[]): Promise<readonly Carried[]> {
    const carried: Carried[] = [];
    let room = answerBytesMax;
    for (const message of messages) {
      const place = placeOf(message);
      const bytes = place?.kind === 'file' && place.size <= answerBytesMax ? place.size : 0;
      if (bytes > room && carried.length > 0) break;
      carried.push(await this.#bodies.carry(message, usualCarriage));
      room -= bytes + message.payload.length;
    }
    return carried;
  }

  #handout(
    poll: Poll,
    queue: QueueName,
    indexes: readonly number[],
    messages: readonly Carried[],
    show: () => void,
  ): Handout {
    let isSettled = !poll.request.autoDelete || indexes.length === 0;
    const settle = (how: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      how();
    };
    return {
      messages: messages.map(({ message, body }) => ({ ...messageOf(message), body })),
      taken: () => settle(() => this.#delete(queue, indexes)),
      cut: () => settle(show),
    };
  }

  /** After a recovery in place, before anything else is served: what clients have is deleted. */
  recovered(): void {
    for (const command of this.#owed) this.#tellDelete(command);
  }

  #delete(queue: QueueName, indexes: readonly number[]): void {
    const command: DeleteCommand = { kind: 'delete', queue, indexes, cause: 'handedOut' };
    this.#owed.add(command);
    this.#tellDelete(command);
  }

  #tellDelete(command: DeleteCommand): void {
    this.#machine.tell(command, (reply) => {
      const isLost = reply.kind === 'refused' && reply.error.retry;
      if (!isLost || !this.#machine.isOpen) this.#owed.delete(command);
    });
  }

  /** Recovery shows everything again; what was hidden after it is not ours to show. */
  #show(queue: QueueName, indexes: readonly number[], life: number): void {
    if (this.#machine.life !== life) return;
    this.#machine.tell({ kind: 'hide', queue, indexes, hidden: false }, () => undefined);
  }

  #fail(poll: Poll, error: Error): void {
    // One whose answer was chosen in a turn that failed is over already, but not answered.
    const wasOver = poll.isOver;
    if (!wasOver) this.#over(poll);
    poll.reject(error);
    if (wasOver || !poll.isAsked || !takesAny(poll)) return;
    // It had been woken for a message that is now for the next one.
    const [next] = this.#others[poll.queue];
    if (next !== undefined && !next.isAsked) this.#ask(next, false);
  }

  #over(poll: Poll): void {
    poll.isOver = true;
    if (poll.timer !== undefined) {
      poll.timer.cancel();
      this.#waiting -= 1;
    }
    this.#others[poll.queue].delete(poll);
    poll.stopListening();
  }
}

function takesAny(poll: Poll): boolean {
  return poll.filter === undefined && poll.request.autoDelete && poll.request.length === 1;
}

function keyOf(queue: QueueName, hash: { readonly low: number; readonly high: number }): string {
  return `${queue}:${hash.high.toString(36)}:${hash.low.toString(36)}`;
}

function cancelled(): PlatformError {
  return new PlatformError('timeout', 'the get was cancelled by its caller');
}

/** A stored message as a reader sees it. */
export function messageOf({ meta, payload }: StoredMessage): Message {
  return {
    index: meta.index,
    id: meta.id,
    tags: meta.tags,
    priority: meta.priority,
    payload,
    contentType: meta.contentType,
    path: meta.path,
    acceptedAt: meta.acceptedAt,
  };
}
