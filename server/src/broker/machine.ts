// Runs one service's state machine in turns: drain the inbox, decide, apply, append, and when the
// batch is durable release what came of it, in order. A few appends are in flight at most; the next
// turn starts when there is room, never on a timer.

import { PlatformError } from '@sluice/sdk/wire';
import type { AppendOutcome, Engine } from '../engine/engine.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Command } from '../queue/decide.ts';
import { sweepInMs } from '../queue/decide-sweep.ts';
import type { Effect, Reply } from '../queue/decision.ts';
import type { QueueName, StoredMessage } from '../queue/message.ts';
import type { ServiceSettings } from '../queue/settings.ts';
import type { State } from '../queue/state.ts';
import type { BodyBook } from './body-book.ts';
import type { NextInput } from './next-input.ts';
import { recoverState } from './recovery.ts';
import { Stored } from './stored.ts';
import type { Turn } from './turn.ts';
import { type Item, type Reader, TurnRunner } from './turn-runner.ts';
import { Writer } from './writer.ts';

export interface MachineOptions {
  readonly number: number;
  readonly service: string;
  readonly settings: ServiceSettings;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told when a message becomes suspect, is cleared or convicted. */
  readonly record?: RecordEvent;
  /** Told of each message that comes into the input queue. */
  readonly nextInput?: NextInput;
  /** Keeps account of bodies that lie in files. */
  readonly bodies?: BodyBook;
}

/** Why everything volatile goes. */
export type ResetReason = 'recovering' | 'stopping' | 'deleted';

/** What the machine tells the parts around it. */
export interface MachineEvents {
  /** A durable delivery or end of a watch. `message` is set for deliveries without a lease. */
  effect(effect: Effect, message: StoredMessage | undefined): void;
  /** A message became visible in this turn; called before the turn is durable. */
  visible(queue: QueueName, index: number): void;
  /** What a turn changed; durable. */
  changed(changes: Turn['changes']): void;
  /** Callbacks to make were written; durable. */
  outboxWritten(entries: Turn['outbox']): void;
  /** Everything volatile is gone: watches and polls are over. */
  reset(reason: ResetReason): void;
  /** Recovered in place: what is told now comes before everything else. */
  recovered(): void;
}

/** Commands and reads that wait for a turn. */
export const inboxMax = 65_536;
/** The engine writes what waits in one go, so several small turns cost one flush. */
const turnsMax = 8;
/**
 * So many commands do not wait for the end of the event loop's round while the engine is idle: the
 * disk works on them while the loop reads the next ones. Measured: 10 % more HTTP puts of 64
 * connections. With fewer commands the writes are too small for a stream's many.
 */
const promptCommands = 32;
const retryAfterMs = 1_000;

export class Machine {
  readonly #options: MachineOptions;
  readonly #events: MachineEvents;
  #state: State | undefined;
  #settings: ServiceSettings;
  #phase: 'closed' | 'recovering' | 'open' | 'stopping' = 'closed';
  #inbox: Item[] = [];
  #turns: Turn[] = [];
  #isScheduled = false;
  #isDeleted = false;
  #again = false;
  #life = 0;
  #stored = new Stored();
  readonly #writer: Writer;
  #runner: TurnRunner | undefined;
  #sweepTimer: Timer | undefined;
  #sweepAt = Number.POSITIVE_INFINITY;
  #idle: (() => void)[] = [];
  #recovery: Promise<void> | undefined;

  constructor(options: MachineOptions, events: MachineEvents) {
    this.#options = options;
    this.#events = events;
    this.#settings = options.settings;
    this.#writer = new Writer(options, {
      durable: (turn) => this.#durable(turn),
      failed: (outcome, cause) => this.#fail(outcome, cause),
      loaded: () => this.#writer.advance(this.#turns),
    });
  }

  /** The state to read from; throws while there is none. */
  get state(): State {
    if (this.#state === undefined) throw this.#unavailable();
    return this.#state;
  }

  /** Serving, or about to again. */
  get isOpen(): boolean {
    return this.#phase === 'open' || this.#phase === 'recovering';
  }

  /** How often this service was recovered in place. */
  get life(): number {
    return this.#life;
  }

  /** Messages in memory. */
  get stored(): Stored {
    return this.#stored;
  }

  /** Recovers the service and opens a new epoch. Throws when its data can't be read. */
  async start(): Promise<void> {
    if (this.#phase !== 'closed') return;
    await this.#recover();
  }

  /** Lets what is in the inbox finish, then ends. Later commands are refused. */
  async stop(): Promise<void> {
    await this.#recovery;
    await this.#end('stopping');
  }

  /** Ends at once: what waits gets an error. For a service that is deleted. */
  async abandon(): Promise<void> {
    await this.#recovery;
    this.#isDeleted = true;
    this.#refuseInbox(this.#unavailable());
    await this.#end('deleted');
  }

  async #end(reason: ResetReason): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'stopping';
    this.#events.reset(reason);
    await this.#whenIdle();
    this.#phase = 'closed';
    this.#sweepTimer?.cancel();
    this.#sweepAt = Number.POSITIVE_INFINITY;
    this.#state = undefined;
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
    // Whatever makes room is never refused for lack of it.
    const refusal = this.#refusal(command.kind === 'put' ? inboxMax : Number.POSITIVE_INFINITY);
    if (refusal !== undefined) {
      done({ kind: 'refused', error: refusal });
      return;
    }
    if (command.kind === 'settings') this.#settings = command.settings;
    this.#inbox.push({ command, done });
    this.#schedule();
    if (this.#inbox.length === promptCommands && this.#turns.length === 0) this.#runSoon();
  }

  read(reader: Reader): void {
    const refusal = this.#refusal(inboxMax);
    if (refusal !== undefined) {
      reader.fail(refusal);
      return;
    }
    this.#inbox.push(reader);
    this.#schedule();
  }

  #createRunner(state: State): TurnRunner {
    const { clock, random } = this.#options;
    const visible = (queue: QueueName, index: number): void => this.#events.visible(queue, index);
    return new TurnRunner({ clock, random, visible }, state, this.#stored);
  }

  #refusal(waitingMax: number): PlatformError | undefined {
    if (this.#phase === 'closed' || this.#phase === 'recovering') return this.#unavailable();
    if (this.#inbox.length < waitingMax) return undefined;
    const { service } = this.#options;
    const text = `${waitingMax} operations of ${service} wait already; come back later`;
    return new PlatformError('rate_limited', text, { retryAfterMs });
  }

  #unavailable(): PlatformError {
    const { service } = this.#options;
    if (this.#isDeleted)
      return new PlatformError('not_found', `the service ${service} was deleted`);
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

  /** Before the rest of what has come in over the sockets is looked at. */
  #runSoon(): void {
    queueMicrotask(() => {
      if (this.#turns.length === 0 && this.#inbox.length > 0) this.#run();
    });
  }

  #run(): void {
    const { clock } = this.#options;
    const state = this.#state;
    const runner = this.#runner;
    if (state === undefined || runner === undefined) return;
    if (this.#phase !== 'open' && this.#phase !== 'stopping') return;
    const sweeps = clock.now().mono >= this.#sweepAt;
    if (sweeps) this.#sweepAt = Number.POSITIVE_INFINITY;
    const delivers = this.#phase === 'open';
    const inbox = this.#inbox;
    this.#inbox = [];
    const ran = runner.run(inbox, { sweeps, delivers });
    // What the turn itself asked for comes after what is left.
    const left = inbox.slice(ran.taken);
    this.#inbox = left.length === 0 ? this.#inbox : left.concat(this.#inbox);
    this.#again = ran.again;
    if (ran.sweepsLeft) this.#sweepAt = clock.now().mono;
    if (ran.turn.changes.length > 0 || ran.turn.outputs.length > 0) {
      this.#turns.push(ran.turn);
      this.#writer.advance(this.#turns);
      this.#release();
    }
    this.#armSweep(state);
    if (this.#inbox.length > 0 || this.#again) this.#schedule();
    this.#settleIdle();
  }

  /** A turn is on stable storage. */
  #durable(turn: Turn): void {
    this.#options.bodies?.changed(turn.changes);
    for (const change of turn.changes) {
      if (change.kind === 'put') this.#stored.setDurable(change.queue, change.message.meta.index);
      if (change.kind === 'complete' && change.result !== undefined) {
        this.#stored.setDurable('sink', change.result.index);
      }
    }
    this.#release();
    this.#tellFollowers(turn);
    this.#writer.advance(this.#turns);
    if (this.#inbox.length > 0 || this.#again) this.#schedule();
    this.#settleIdle();
  }

  #tellFollowers(turn: Turn): void {
    if (turn.outbox.length > 0) this.#events.outboxWritten(turn.outbox);
    this.#events.changed(turn.changes);
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
    const unknown = new PlatformError(
      'outcome_unknown',
      'the write may or may not have happened; repeat it with the same request id',
      { retryAfterMs, cause },
    );
    const full = 'the disk is full; nothing was written';
    const error = isFull ? new PlatformError('disk_full', full, { retryAfterMs }) : unknown;
    const turns = this.#turns;
    this.#turns = [];
    for (const turn of turns) {
      for (const output of turn.outputs) {
        if (output.kind === 'reply') {
          // What it repeats may have been written long ago.
          const isRepeat = output.reply.kind === 'put' && output.reply.repeated;
          output.done({ kind: 'refused', error: isRepeat ? unknown : error });
        } else if (output.kind === 'read') output.fail(error);
      }
    }
    this.#refuseInbox(error, unknown);
    this.#events.reset('recovering');
    this.#recovery = this.#recover().then(() => {
      if (wasStopping) this.#phase = 'stopping';
    });
  }

  /** `perhaps` is for puts that may repeat one that was taken. */
  #refuseInbox(error: PlatformError, perhaps: PlatformError = error): void {
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const item of inbox) {
      if ('command' in item) {
        const { command } = item;
        const meta = command.kind === 'put' ? command.meta : undefined;
        const mayRepeat = meta?.callerId === true || meta?.idempotencyKey !== undefined;
        item.done({ kind: 'refused', error: mayRepeat ? perhaps : error });
      } else item.fail(error);
    }
  }

  async #recover(): Promise<void> {
    this.#phase = 'recovering';
    const { clock, log, service } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      await this.#writer.whenSettled(clock);
      try {
        const recovered = await recoverState({ ...this.#options, settings: this.#settings });
        this.#state = recovered.state;
        this.#writer.restart(recovered.sequence);
        break;
      } catch (error) {
        if (this.#life === 0 && !isPassing(error)) {
          // Other services need not wait for one whose data are damaged.
          this.#phase = 'closed';
          throw error;
        }
        log.error({ service, attempt, error }, 'recovery failed, trying again');
        await new Promise<void>((resolve) => {
          clock.after(Math.min(10_000, 100 * 2 ** attempt), resolve);
        });
      }
    }
    this.#life += 1;
    this.#stored = new Stored();
    this.#runner = this.#createRunner(this.state);
    this.#phase = 'open';
    if (this.#life > 1) this.#events.recovered();
    this.#sweepAt = 0;
    this.#schedule();
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

function isPassing(error: unknown): boolean {
  return error instanceof PlatformError && error.retry;
}
