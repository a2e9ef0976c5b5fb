// Runs one service's state machine in turns: drain the inbox, decide, apply, append, and when the
// batch is durable release what came of it, in order. At most two appends are in flight; the next
// turn starts when there is room, never on a timer.

import { PlatformError } from '@sluice/sdk/wire';
import type { AppendOutcome, Engine } from '../engine/engine.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { apply } from '../queue/apply.ts';
import { type Change, type Durable, isDurable, isUnsealed, seal } from '../queue/change.ts';
import { type Command, decide } from '../queue/decide.ts';
import { endedWatches } from '../queue/decide-remove.ts';
import { sweepInMs } from '../queue/decide-sweep.ts';
import type { Effect, Reply } from '../queue/decision.ts';
import type { QueueName, StoredMessage } from '../queue/message.ts';
import type { ServiceSettings } from '../queue/settings.ts';
import { durableState, queuesOf, type State } from '../queue/state.ts';
import type { Time } from '../queue/time.ts';
import { recoverState } from './recovery.ts';
import { Stored } from './stored.ts';
import { createTurn, type Turn } from './turn.ts';

export interface MachineOptions {
  readonly number: number;
  readonly service: string;
  readonly settings: ServiceSettings;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What the machine tells the parts around it. */
export interface MachineEvents {
  /** A durable delivery or end of a watch. `message` is set for deliveries without a lease. */
  effect(effect: Effect, message: StoredMessage | undefined): void;
  /** A message became visible in this turn; called before the turn is durable. */
  visible(queue: QueueName, index: number): void;
  /** Everything volatile is gone: watches and polls are over. */
  reset(reason: 'recovering' | 'stopping'): void;
}

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

interface Asked {
  readonly command: Command;
  readonly done: (reply: Reply) => void;
}

type Item = Asked | Reader;

/** Commands and reads that wait for a turn. */
export const inboxMax = 262_144;
const turnCommandsMax = 128;
const turnMs = 2;
const turnsMax = 2;
const deliveriesMax = 256;
const deliveryBytesMax = 8 * 2 ** 20;
const sweepsMax = 64;
/** Messages read back at a time when what leaves is not in memory. */
const loadStep = 8;
const retryAfterMs = 1_000;

export class Machine {
  readonly #options: MachineOptions;
  readonly #events: MachineEvents;
  #state: State | undefined;
  #settings: ServiceSettings;
  #phase: 'closed' | 'recovering' | 'open' | 'stopping' = 'closed';
  #inbox: Item[] = [];
  #turns: Turn[] = [];
  #appending = 0;
  #sequence = 0;
  #isScheduled = false;
  #again = false;
  #stored = new Stored();
  #sweepTimer: Timer | undefined;
  #sweepAt = Number.POSITIVE_INFINITY;
  #idle: (() => void)[] = [];
  #recovery: Promise<void> | undefined;

  constructor(options: MachineOptions, events: MachineEvents) {
    this.#options = options;
    this.#events = events;
    this.#settings = options.settings;
  }

  /** The state to read from; throws while there is none. */
  get state(): State {
    if (this.#state === undefined) throw this.#unavailable();
    return this.#state;
  }

  get stored(): Stored {
    return this.#stored;
  }

  /** Recovers the service and opens a new epoch. */
  async start(): Promise<void> {
    if (this.#phase !== 'closed') return;
    await this.#recover();
  }

  /** Lets what is in the inbox finish, then ends. Later commands are refused. */
  async stop(): Promise<void> {
    if (this.#phase === 'closed') return;
    await this.#recovery;
    this.#phase = 'stopping';
    this.#events.reset('stopping');
    await this.#whenIdle();
    this.#phase = 'closed';
    this.#sweepTimer?.cancel();
    this.#sweepAt = Number.POSITIVE_INFINITY;
    this.#state = undefined;
  }

  /** Ends at once: what waits gets an error. For a service that is deleted. */
  async abandon(): Promise<void> {
    await this.#recovery;
    this.#refuseInbox(new PlatformError('not_found', `${this.#options.service} was deleted`));
    await this.stop();
  }

  /** Resolves with the reply once the turn is durable; rejects with a refusal. */
  ask(command: Command): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.tell(command, (reply) => {
        if (reply.kind === 'refused') reject(reply.error);
        else resolve(reply);
      });
    });
  }

  /** Like `ask`, with a callback. */
  tell(command: Command, done: (reply: Reply) => void): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      done({ kind: 'refused', error: refusal });
      return;
    }
    if (command.kind === 'settings') this.#settings = command.settings;
    this.#inbox.push({ command, done });
    this.#schedule();
  }

  read(reader: Reader): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      reader.fail(refusal);
      return;
    }
    this.#inbox.push(reader);
    this.#schedule();
  }

  #refusal(): PlatformError | undefined {
    if (this.#phase === 'closed' || this.#phase === 'recovering') return this.#unavailable();
    if (this.#inbox.length < inboxMax) return undefined;
    const text = `${inboxMax} operations of ${this.#options.service} wait already; come back later`;
    return new PlatformError('rate_limited', text, { retryAfterMs });
  }

  #unavailable(): PlatformError {
    const { service } = this.#options;
    const why = this.#phase === 'closed' ? 'is closed' : 'is recovering';
    return new PlatformError('unavailable', `${service} ${why}`, { retryAfterMs });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#turns.length >= turnsMax) return;
    if (this.#phase !== 'open' && this.#phase !== 'stopping') return;
    this.#isScheduled = true;
    this.#options.clock.defer(() => {
      this.#isScheduled = false;
      if (this.#turns.length < turnsMax) this.#run();
    });
  }

  #run(): void {
    const state = this.#state;
    if (state === undefined || (this.#phase !== 'open' && this.#phase !== 'stopping')) return;
    this.#again = false;
    const turn = createTurn();
    const now = this.#options.clock.now();
    this.#drainInbox(state, turn, now);
    if (now.mono >= this.#sweepAt) this.#sweep(state, turn, now);
    if (this.#phase === 'open') this.#deliver(state, turn, now);
    for (const queue of queuesOf(state)) {
      if (queue.ended) turn.outputs.push(...endedWatches(queue));
    }
    if (turn.changes.length > 0 || turn.outputs.length > 0) {
      turn.state = durableState(state);
      if (turn.changes.length === 0) turn.stage = 'durable';
      this.#turns.push(turn);
      this.#advance();
      this.#release();
    }
    this.#armSweep(state);
    if (this.#inbox.length > 0 || this.#again) this.#schedule();
    this.#settleIdle();
  }

  #drainInbox(state: State, turn: Turn, now: Time): void {
    const { clock } = this.#options;
    let taken = 0;
    while (taken < Math.min(turnCommandsMax, this.#inbox.length)) {
      const item = this.#inbox[taken];
      if (item === undefined) break;
      taken += 1;
      if ('command' in item) {
        if (!this.#decide(state, turn, item, now)) {
          // Long work goes on in the next turn, before everything that came after it.
          taken -= 1;
          this.#again = true;
          break;
        }
      } else {
        this.#runReader(state, turn, item, now);
      }
      if (taken % 16 === 0 && clock.now().mono - now.mono > turnMs) break;
    }
    this.#inbox = taken === this.#inbox.length ? [] : this.#inbox.slice(taken);
  }

  /** False when the command has more to do. */
  #decide(state: State, turn: Turn, asked: Asked, now: Time): boolean {
    const { changes, effects, reply, more } = decide(
      state,
      asked.command,
      now,
      this.#options.random,
    );
    this.#applyAll(state, turn, changes, now);
    if (!more) turn.outputs.push({ kind: 'reply', done: asked.done, reply });
    for (const effect of effects) this.#output(turn, effect);
    return !more;
  }

  #runReader(state: State, turn: Turn, reader: Reader, now: Time): void {
    reader.run(state, {
      now,
      apply: (change) => this.#applyAll(state, turn, [change], now),
      release: (release) => {
        turn.outputs.push({ kind: 'read', release, fail: (error) => reader.fail(error) });
      },
    });
  }

  #sweep(state: State, turn: Turn, now: Time): void {
    this.#sweepAt = Number.POSITIVE_INFINITY;
    for (let step = 0; step < sweepsMax; step += 1) {
      const { changes, effects, more } = decide(
        state,
        { kind: 'sweep' },
        now,
        this.#options.random,
      );
      this.#applyAll(state, turn, changes, now);
      for (const effect of effects) this.#output(turn, effect);
      if (!more) return;
    }
    this.#again = true;
    this.#sweepAt = now.mono;
  }

  #deliver(state: State, turn: Turn, now: Time): void {
    let bytes = 0;
    let deliveries = 0;
    for (const queue of queuesOf(state)) {
      if (queue.groups.size === 0) continue;
      for (;;) {
        const command = { kind: 'deliver', queue: queue.name } as const;
        const { changes, effects, more } = decide(state, command, now, this.#options.random);
        for (const effect of effects) {
          if (effect.kind !== 'deliver') continue;
          deliveries += 1;
          bytes += queue.messages.facts(effect.index)?.size ?? 0;
        }
        // Before the changes: a message sent without a lease is gone after them.
        for (const effect of effects) this.#output(turn, effect);
        this.#applyAll(state, turn, changes, now);
        if (!more) break;
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

  #applyAll(state: State, turn: Turn, changes: readonly Change[], now: Time): void {
    for (const change of changes) {
      if (isDurable(change)) {
        turn.changes.push(change);
        this.#note(turn, change);
      }
      apply(state, change, now);
      if (change.kind === 'put') {
        this.#stored.add(change.queue, change.message);
        this.#events.visible(change.queue, change.message.meta.index);
      } else if (change.kind === 'hide' && !change.hidden) {
        this.#events.visible(change.queue, change.index);
      } else if (change.kind === 'return') {
        this.#stored.returned(change.queue, change.index);
      } else if (change.kind === 'complete' && change.result !== undefined) {
        this.#events.visible('sink', change.result.index);
      } else if (change.kind === 'dead') {
        const rear = change.queue === 'input' ? 'inputRear' : 'sinkRear';
        if (change.rear !== undefined) this.#events.visible(rear, change.rear.index);
        if (change.notice !== undefined) this.#events.visible('sink', change.notice.index);
      }
    }
  }

  /** Remembers what sealing a change needs, and lets go of what leaves. */
  #note(turn: Turn, change: Durable): void {
    if (!isUnsealed(change)) return;
    const queue = change.kind === 'complete' ? 'input' : change.queue;
    const meta = this.#stored.meta(queue, change.index);
    if (meta !== undefined) turn.metas.set(change, meta);
    this.#stored.removed(queue, change.index);
    if (meta === undefined || change.kind !== 'complete' || change.result === undefined) return;
    // The result can be delivered from memory as well.
    const sealed = seal(change, meta);
    if (sealed.kind === 'complete' && sealed.result !== undefined) {
      this.#stored.add('sink', sealed.result);
    }
  }

  /** Hands decided turns to the engine, in order, as soon as all they need is in memory. */
  #advance(): void {
    for (const turn of this.#turns) {
      if (turn.stage === 'loading') return;
      if (turn.stage !== 'decided') continue;
      const missing = this.#missing(turn);
      if (missing.length > 0) {
        turn.stage = 'loading';
        this.#load(turn, missing);
        return;
      }
      this.#append(turn);
    }
  }

  #missing(turn: Turn): (Durable | Effect)[] {
    const missing: (Durable | Effect)[] = [];
    for (const change of turn.changes) {
      if (isUnsealed(change) && !turn.metas.has(change)) missing.push(change);
    }
    for (const output of turn.outputs) {
      const isSent = output.kind === 'deliver' && output.deliveryId === 0;
      if (isSent && !turn.sent.has(output)) missing.push(output);
    }
    return missing;
  }

  #load(turn: Turn, missing: readonly (Durable | Effect)[]): void {
    const { engine, number: service } = this.#options;
    const loadAll = async (): Promise<void> => {
      for (let at = 0; at < missing.length; at += loadStep) {
        const step = missing.slice(at, at + loadStep);
        const refs = step.map((one) => ({ service, ...placeOf(one) }));
        const messages = await engine.payloads(refs);
        for (const [position, one] of step.entries()) {
          const message = messages[position];
          if (message === undefined) {
            throw new Error(`message ${placeOf(one).index} of ${this.#options.service} is missing`);
          }
          if (one.kind === 'deliver' && 'consumer' in one && !('mark' in one)) {
            turn.sent.set(one, message);
          } else {
            turn.metas.set(one as Durable, message.meta);
          }
        }
      }
    };
    loadAll().then(
      () => {
        turn.stage = 'decided';
        this.#advance();
      },
      (error: unknown) => this.#fail({ kind: 'unknown' }, error),
    );
  }

  #append(turn: Turn): void {
    turn.stage = 'appending';
    this.#appending += 1;
    this.#sequence += 1;
    const transitions = turn.changes.map((change) => seal(change, turn.metas.get(change)));
    const { engine, number: service } = this.#options;
    const state = turn.state ?? durableState(this.state);
    const batch = { service, epoch: state.epoch, sequence: this.#sequence, state, transitions };
    engine.append(batch).then(
      (outcome) => this.#settle(turn, outcome),
      (error: unknown) => {
        this.#appending -= 1;
        this.#fail({ kind: 'unknown' }, error);
      },
    );
  }

  #settle(turn: Turn, outcome: AppendOutcome): void {
    this.#appending -= 1;
    if (outcome.kind !== 'durable') {
      this.#fail(outcome, undefined);
      return;
    }
    turn.stage = 'durable';
    for (const change of turn.changes) {
      if (change.kind === 'put') this.#stored.setDurable(change.queue, change.message.meta.index);
      if (change.kind === 'complete' && change.result !== undefined) {
        this.#stored.setDurable('sink', change.result.index);
      }
    }
    this.#release();
    if (this.#inbox.length > 0 || this.#again) this.#schedule();
    this.#settleIdle();
  }

  #release(): void {
    while (this.#turns[0]?.stage === 'durable') {
      const turn = this.#turns.shift();
      for (const output of turn?.outputs ?? []) {
        if (output.kind === 'reply') output.done(output.reply);
        else if (output.kind === 'read') output.release();
        else this.#events.effect(output, turn?.sent.get(output));
      }
    }
  }

  #armSweep(state: State): void {
    const now = this.#options.clock.now();
    const at = now.mono + sweepInMs(state, now);
    if (at >= this.#sweepAt - 1 && this.#sweepTimer !== undefined) return;
    this.#sweepTimer?.cancel();
    this.#sweepAt = at;
    this.#sweepTimer = this.#options.clock.after(Math.max(0, at - now.mono), () => {
      this.#sweepTimer = undefined;
      this.#sweepAt = Math.min(this.#sweepAt, this.#options.clock.now().mono);
      this.#again = true;
      this.#schedule();
    });
  }

  /** Memory may be ahead of the disk: throw it away and recover in place (design section 4). */
  #fail(outcome: AppendOutcome, cause: unknown): void {
    if (this.#phase === 'recovering' || this.#phase === 'closed') return;
    const wasStopping = this.#phase === 'stopping';
    const { log, service } = this.#options;
    log.warn({ service, outcome, cause }, 'append failed, recovering');
    this.#phase = 'recovering';
    const isFull = outcome.kind === 'refused' && outcome.why === 'full';
    const error = isFull
      ? new PlatformError('disk_full', 'the disk is full; nothing was written', { retryAfterMs })
      : new PlatformError(
          'outcome_unknown',
          'the write may or may not have happened; repeat it with the same request id',
          { retryAfterMs, cause },
        );
    const turns = this.#turns;
    this.#turns = [];
    for (const turn of turns) {
      for (const output of turn.outputs) {
        if (output.kind === 'reply') output.done({ kind: 'refused', error });
        else if (output.kind === 'read') output.fail(error);
      }
    }
    this.#refuseInbox(error);
    this.#events.reset('recovering');
    this.#recovery = this.#recover().then(() => {
      if (wasStopping) this.#phase = 'stopping';
    });
  }

  #refuseInbox(error: PlatformError): void {
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const item of inbox) {
      if ('command' in item) item.done({ kind: 'refused', error });
      else item.fail(error);
    }
  }

  async #recover(): Promise<void> {
    this.#phase = 'recovering';
    const { clock, log, service } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      await this.#whenAppended();
      try {
        const recovered = await recoverState({ ...this.#options, settings: this.#settings });
        this.#state = recovered.state;
        this.#sequence = recovered.sequence;
        break;
      } catch (error) {
        log.error({ service, attempt, error }, 'recovery failed, trying again');
        await new Promise<void>((resolve) => {
          clock.after(Math.min(10_000, 100 * 2 ** attempt), resolve);
        });
      }
    }
    this.#stored = new Stored();
    this.#phase = 'open';
    this.#sweepAt = 0;
    this.#schedule();
  }

  /** Resolves when no append is in flight any more. */
  async #whenAppended(): Promise<void> {
    while (this.#appending > 0) {
      await new Promise<void>((resolve) => this.#options.clock.defer(resolve));
    }
  }

  #whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#settleIdle();
    });
  }

  #settleIdle(): void {
    if (this.#idle.length === 0) return;
    if (this.#inbox.length > 0 || this.#turns.length > 0 || this.#isScheduled) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }
}

function placeOf(one: Durable | Effect): { readonly queue: QueueName; readonly index: number } {
  if (one.kind === 'complete') return { queue: 'input', index: one.index };
  if (one.kind === 'remove' || one.kind === 'dead' || one.kind === 'deliver') {
    return { queue: one.queue, index: one.index };
  }
  throw new Error(`a change of kind ${one.kind} names no message`);
}
