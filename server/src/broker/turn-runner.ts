// Decides one turn of a service: takes commands and reads from the inbox, sweeps what is due,
// delivers, and collects what has to be written and released.

import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { apply } from '../queue/apply.ts';
import { type Change, isDurable, isUnsealed, seal, type Unsealed } from '../queue/change.ts';
import { type Command, decide } from '../queue/decide.ts';
import { endedWatches } from '../queue/decide-remove.ts';
import type { Effect, Reply } from '../queue/decision.ts';
import type { QueueName } from '../queue/message.ts';
import { durableState, queuesOf, type State } from '../queue/state.ts';
import type { Time } from '../queue/time.ts';
import type { Transition } from '../queue/transition.ts';
import type { Stored } from './stored.ts';
import { createTurn, type Turn } from './turn.ts';

/** A read: runs in a turn, against the state it may see. */
export interface Reader {
  run(state: State, turn: ReadTurn): void;
  fail(error: Error): void;
}

export interface ReadTurn {
  readonly now: Time;
  /** Applies a passing change that belongs to the read. */
  apply(change: Change): void;
  /** Runs once everything the read could have seen is durable. */
  release(run: () => void): void;
}

export interface Asked {
  readonly command: Command;
  readonly done: (reply: Reply) => void;
}

export type Item = Asked | Reader;

export interface RunnerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** A message became visible in this turn, which is not durable yet. */
  readonly visible: (queue: QueueName, index: number) => void;
}

export interface Ran {
  readonly turn: Turn;
  /** Items of the inbox that are done with. */
  readonly taken: number;
  /** There is work left for another turn. */
  readonly again: boolean;
  /** The sweep was not finished. */
  readonly sweepsLeft: boolean;
}

const turnCommandsMax = 128;
const turnMs = 2;
const deliveriesMax = 256;
const deliveryBytesMax = 8 * 2 ** 20;
const sweepsMax = 64;

/** What a turn is asked to do beside the inbox. */
export interface RunWants {
  readonly sweeps: boolean;
  readonly delivers: boolean;
}

export class TurnRunner {
  readonly #options: RunnerOptions;
  readonly #state: State;
  readonly #stored: Stored;
  #again = false;
  #sweepsLeft = false;
  /** Something new has a meta that only sealing finds: it must be written before it is touched. */
  #isCut = false;

  constructor(options: RunnerOptions, state: State, stored: Stored) {
    this.#options = options;
    this.#state = state;
    this.#stored = stored;
  }

  run(inbox: readonly Item[], wants: RunWants): Ran {
    const turn = createTurn();
    const state = this.#state;
    const now = this.#options.clock.now();
    this.#again = false;
    this.#sweepsLeft = false;
    this.#isCut = false;
    const taken = this.#drainInbox(inbox, turn, now);
    if (wants.sweeps) this.#sweep(turn, now);
    if (wants.delivers && !this.#isCut) this.#deliver(turn, now);
    if (this.#isCut) this.#again = true;
    for (const queue of queuesOf(state)) {
      if (queue.ended) turn.outputs.push(...endedWatches(queue));
    }
    if (turn.changes.length > 0) turn.state = durableState(state);
    else turn.stage = 'durable';
    return { turn, taken, again: this.#again, sweepsLeft: this.#sweepsLeft };
  }

  #drainInbox(inbox: readonly Item[], turn: Turn, now: Time): number {
    const { clock } = this.#options;
    let taken = 0;
    while (taken < Math.min(turnCommandsMax, inbox.length) && !this.#isCut) {
      const item = inbox[taken];
      if (item === undefined) break;
      taken += 1;
      if ('command' in item) {
        if (!this.#decide(turn, item, now)) {
          // Long work goes on in the next turn, before everything that came after it.
          taken -= 1;
          this.#again = true;
          break;
        }
      } else {
        this.#runReader(turn, item, now);
      }
      if (taken % 16 === 0 && clock.now().mono - now.mono > turnMs) break;
    }
    return taken;
  }

  /** False when the command has more to do. */
  #decide(turn: Turn, asked: Asked, now: Time): boolean {
    const { changes, effects, reply, more } = decide(
      this.#state,
      asked.command,
      now,
      this.#options.random,
    );
    this.#applyAll(turn, changes, now);
    if (!more) turn.outputs.push({ kind: 'reply', done: asked.done, reply });
    for (const effect of effects) this.#output(turn, effect);
    return !more;
  }

  #runReader(turn: Turn, reader: Reader, now: Time): void {
    reader.run(this.#state, {
      now,
      apply: (change) => this.#applyAll(turn, [change], now),
      release: (release) => {
        turn.outputs.push({ kind: 'read', release, fail: (error) => reader.fail(error) });
      },
    });
  }

  #sweep(turn: Turn, now: Time): void {
    for (let step = 0; step < sweepsMax; step += 1) {
      const { changes, effects, more } = decide(
        this.#state,
        { kind: 'sweep' },
        now,
        this.#options.random,
      );
      this.#applyAll(turn, changes, now);
      for (const effect of effects) this.#output(turn, effect);
      if (!more) return;
      if (this.#isCut) break;
    }
    this.#again = true;
    this.#sweepsLeft = true;
  }

  #deliver(turn: Turn, now: Time): void {
    let bytes = 0;
    let deliveries = 0;
    for (const queue of queuesOf(this.#state)) {
      if (queue.groups.size === 0) continue;
      for (;;) {
        const command = { kind: 'deliver', queue: queue.name } as const;
        const { changes, effects, more } = decide(this.#state, command, now, this.#options.random);
        for (const effect of effects) {
          if (effect.kind !== 'deliver') continue;
          deliveries += 1;
          bytes += queue.messages.size(effect.index);
        }
        // Before the changes: a message sent without a lease is gone after them.
        for (const effect of effects) this.#output(turn, effect);
        this.#applyAll(turn, changes, now);
        if (!more) break;
        if (this.#isCut) return;
        if (deliveries >= deliveriesMax || bytes >= deliveryBytesMax) {
          this.#again = true;
          return;
        }
      }
    }
  }

  #output(turn: Turn, effect: Effect): void {
    turn.outputs.push(effect);
    if (effect.kind !== 'deliver' || effect.deliveryId !== 0) return;
    const message = this.#stored.message(effect.queue, effect.index);
    if (message !== undefined) turn.sent.set(effect, message);
  }

  #applyAll(turn: Turn, changes: readonly Change[], now: Time): void {
    for (const change of changes) {
      if (isDurable(change)) {
        turn.changes.push(change);
        turn.transitions.push(isUnsealed(change) ? this.#leaves(change) : change);
      }
      apply(this.#state, change, now);
      if (change.kind === 'put') {
        this.#stored.add(change.queue, change.message);
        this.#options.visible(change.queue, change.message.meta.index);
      } else if (change.kind === 'hide' && !change.hidden) {
        this.#options.visible(change.queue, change.index);
      } else if (change.kind === 'return') {
        this.#stored.returned(change.queue, change.index);
      } else if (change.kind === 'complete' && change.result !== undefined) {
        this.#options.visible('sink', change.result.index);
      } else if (change.kind === 'dead') {
        const rear = change.queue === 'input' ? 'inputRear' : 'sinkRear';
        if (change.rear !== undefined) this.#options.visible(rear, change.rear.index);
        if (change.notice !== undefined) this.#options.visible('sink', change.notice.index);
      }
    }
  }

  /** Lets go of what leaves; answers what is written, where the meta for that is in memory. */
  #leaves(change: Unsealed): Transition | undefined {
    const queue = change.kind === 'complete' ? 'input' : change.queue;
    const meta = this.#stored.meta(queue, change.index);
    this.#stored.removed(queue, change.index);
    if (change.kind === 'dead') this.#isCut = true;
    if (meta === undefined) {
      if (change.kind === 'complete' && change.result !== undefined) this.#isCut = true;
      return undefined;
    }
    const transition = seal(change, meta);
    // The result can be delivered from memory as well.
    if (transition.kind === 'complete' && transition.result !== undefined) {
      this.#stored.add('sink', transition.result);
    }
    return transition;
  }
}
