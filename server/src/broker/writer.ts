// Carries the decided turns of one service to its engine, in order: adds what the stored messages
// know and the rules do not, reading it back where it is not in memory.

import { PlatformError } from '@sluice/sdk/wire';
import type { AppendOutcome, Engine, MessageRef } from '../engine/engine.ts';
import type { Clock } from '../kernel/clock.ts';
import { invariant } from '../kernel/invariant.ts';
import { isUnsealed, seal, type Unsealed } from '../queue/change.ts';
import type { Effect } from '../queue/decision.ts';
import type { QueueName, StoredMessage } from '../queue/message.ts';
import type { OutboxEntry, Transition } from '../queue/transition.ts';
import type { Turn } from './turn.ts';

export interface WriterOptions {
  readonly number: number;
  readonly service: string;
  readonly engine: Engine;
}

export interface WriterEvents {
  durable(turn: Turn): void;
  failed(outcome: AppendOutcome, cause: unknown): void;
  /** What a turn waited for is there: `advance` again. */
  loaded(): void;
}

/** Messages read back at a time: payloads come with them, at most 31 MiB each. */
const loadStep = 8;

type Deliver = Extract<Effect, { kind: 'deliver' }>;
/** What needs a stored message: a change that takes it away, or a delivery without a lease. */
type Needy = Leaving | Sent;

interface Leaving {
  readonly kind: 'leaves';
  readonly change: Unsealed;
  /** Its place among the changes of the turn. */
  readonly at: number;
}

interface Sent {
  readonly kind: 'sent';
  readonly effect: Deliver;
}

export class Writer {
  readonly #options: WriterOptions;
  readonly #events: WriterEvents;
  #appending = 0;
  #sequence = 0;
  /** Rises with every restart: answers from before it are nobody's. */
  #life = 0;

  constructor(options: WriterOptions, events: WriterEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** After a recovery: appends go on after `sequence`. */
  restart(sequence: number): void {
    this.#sequence = sequence;
    this.#life += 1;
  }

  /** Hands decided turns to the engine, in order, as soon as all they need is in memory. */
  advance(turns: readonly Turn[]): void {
    for (const turn of turns) {
      if (turn.stage === 'loading') return;
      if (turn.stage !== 'decided') continue;
      const missing = missingOf(turn);
      if (missing.length > 0) {
        // What it needs may be in a turn before it: that one has to be durable first.
        if (turn !== turns[0]) return;
        turn.stage = 'loading';
        this.#load(turn, missing);
        return;
      }
      this.#append(turn);
    }
  }

  /** Resolves when no append is in flight any more. */
  async whenSettled(clock: Clock): Promise<void> {
    while (this.#appending > 0) {
      await new Promise<void>((resolve) => clock.defer(resolve));
    }
  }

  #load(turn: Turn, missing: readonly Needy[]): void {
    const life = this.#life;
    this.#loadAll(turn, missing).then(
      () => {
        if (life !== this.#life) return;
        turn.stage = 'decided';
        this.#events.loaded();
      },
      (error: unknown) => {
        if (life === this.#life) this.#events.failed({ kind: 'unknown' }, error);
      },
    );
  }

  async #loadAll(turn: Turn, missing: readonly Needy[]): Promise<void> {
    const { engine, number: service } = this.#options;
    const leaving = missing.filter((needy) => needy.kind === 'leaves');
    const metas = await engine.metas(leaving.map((needy) => ({ service, ...placeOf(needy) })));
    for (const [nth, { change, at }] of leaving.entries()) {
      const meta = metas[nth];
      invariant(meta !== undefined, 'a message that leaves its queue is stored');
      turn.transitions[at] = seal(change, meta);
    }
    const sent = missing.filter((needy) => needy.kind === 'sent');
    for (let at = 0; at < sent.length; at += loadStep) {
      const load = async (needy: Sent): Promise<void> => {
        const message = await this.#message({ service, ...placeOf(needy) });
        turn.sent.set(needy.effect, message);
      };
      await Promise.all(sent.slice(at, at + loadStep).map(load));
    }
  }

  /** undefined when it is damaged: it can't be sent, but that is no reason to stop the service. */
  async #message(ref: MessageRef): Promise<StoredMessage | undefined> {
    try {
      const [message] = await this.#options.engine.payloads([ref]);
      invariant(message !== undefined, 'a message that leaves its queue is stored');
      return message;
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'damaged') return undefined;
      throw error;
    }
  }

  #append(turn: Turn): void {
    invariant(turn.state !== undefined, 'a turn that is written knows the state after it');
    const life = this.#life;
    turn.stage = 'appending';
    this.#appending += 1;
    this.#sequence += 1;
    const transitions = turn.transitions.filter((transition) => transition !== undefined);
    invariant(transitions.length === turn.changes.length, 'a turn is written whole');
    turn.outbox = outboxOf(transitions);
    const { engine, number: service } = this.#options;
    const { state } = turn;
    const batch = { service, epoch: state.epoch, sequence: this.#sequence, state, transitions };
    engine.append(batch).then(
      (outcome) => {
        this.#appending -= 1;
        if (life !== this.#life) return;
        if (outcome.kind === 'durable') {
          turn.stage = 'durable';
          this.#events.durable(turn);
        } else {
          this.#events.failed(outcome, undefined);
        }
      },
      (error: unknown) => {
        this.#appending -= 1;
        if (life === this.#life) this.#events.failed({ kind: 'unknown' }, error);
      },
    );
  }
}

function outboxOf(transitions: readonly Transition[]): readonly OutboxEntry[] {
  const entries: OutboxEntry[] = [];
  for (const transition of transitions) {
    const entry = 'outbox' in transition ? transition.outbox : undefined;
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

function missingOf(turn: Turn): Needy[] {
  const missing: Needy[] = [];
  for (let at = 0; at < turn.changes.length; at += 1) {
    const change = turn.changes[at];
    if (turn.transitions[at] !== undefined || change === undefined || !isUnsealed(change)) continue;
    missing.push({ kind: 'leaves', change, at });
  }
  for (const effect of turn.outputs) {
    const isSent = effect.kind === 'deliver' && effect.deliveryId === 0;
    if (isSent && !turn.sent.has(effect)) missing.push({ kind: 'sent', effect });
  }
  return missing;
}

function placeOf(needy: Needy): { readonly queue: QueueName; readonly index: number } {
  if (needy.kind === 'sent') return { queue: needy.effect.queue, index: needy.effect.index };
  const { change } = needy;
  return { queue: change.kind === 'complete' ? 'input' : change.queue, index: change.index };
}
