// The callbacks of one service that are still to be made. The outbox of its queues is the truth:
// what stands there is tried until it is delivered or given up, over restarts. Memory holds a few
// words for each, up to a bound; what is beyond it waits in the outbox.

import type { Clock, Timer } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { readTerms } from '../queue/terms.ts';
import type { OutboxEntry } from '../queue/transition.ts';
import { Agenda, type Pending } from './agenda.ts';
import type { Courier } from './courier.ts';
import type { Progress } from './delivery-log.ts';
import type { Gate, Starter } from './gate.ts';
import type { CallbackSource } from './source.ts';

export interface BacklogLimits {
  /** Callbacks in memory. */
  readonly pendingMax: number;
  /** Attempts at a time to one target. */
  readonly perTargetMax: number;
}

export const backlogLimits: BacklogLimits = { pendingMax: 100_000, perTargetMax: 8 };

export interface BacklogOptions {
  readonly service: string;
  readonly source: CallbackSource;
  readonly courier: Courier;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly log: Log;
  /** How far schedules had come before this start, by index; emptied as they are taken up. */
  readonly progress: Map<number, Progress>;
  readonly limits: BacklogLimits;
}

/** Read from the outbox at a time. */
const pageRows = 500;
/** After a failure that is none of the receiver's. */
const troubleMs = 10_000;
/** The log is told of it at most so often. */
const complainMs = 60_000;
/** The wall clock may be set: it is looked at again at least so often. */
const napMsMax = 600_000;
const noEvents: readonly string[] = [];

export class Backlog implements Starter {
  readonly #options: BacklogOptions;
  readonly #agenda: Agenda;
  readonly #known = new Map<number, Pending>();
  /** There may be more in the outbox than is known. */
  #isBehind = true;
  #looking: Promise<void> | undefined;
  /** What came to its end while the outbox was read: a page may still show it. */
  readonly #ended = new Set<number>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#agenda = new Agenda(options.limits.perTargetMax);
  }

  /** In memory; there may be more in the outbox. */
  get size(): number {
    return this.#known.size;
  }

  find(index: number): Pending | undefined {
    return this.#known.get(index);
  }

  /** A callback was written to the outbox. */
  written(entry: OutboxEntry): void {
    if (!this.#add(entry)) return;
    this.#pump();
  }

  /** There may be callbacks in the outbox that nobody told of. */
  look(): void {
    this.#isBehind = true;
    if (this.#stopped.signal.aborted) return;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
  }

  /** Resolves when nothing is under way any more; what was is tried again by the next one. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#timer?.cancel();
    await this.#looking;
    await Promise.all(this.#running);
  }

  start(): Promise<void> | undefined {
    if (this.#stopped.signal.aborted) return undefined;
    const pending = this.#agenda.take();
    if (pending === undefined) return undefined;
    const work = this.#attempt(pending).finally(() => {
      this.#running.delete(work);
      if (this.#agenda.done(pending)) this.#options.courier.leave(pending.origin);
      // Its target has room again.
      this.#options.gate.want(this);
    });
    this.#running.add(work);
    return work;
  }

  /** Takes it out of its schedule for an attempt by hand; undo with `giveBack` or `finish`. */
  borrow(pending: Pending): void {
    pending.state = 'running';
  }

  giveBack(pending: Pending): void {
    this.#again(pending, pending.dueAt);
  }

  /** It is over: durable when it resolves, and tried again later when that fails. */
  async finish(pending: Pending): Promise<void> {
    pending.isOver = true;
    const { source, clock } = this.#options;
    try {
      await source.done(pending.index);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#complain(error, 'end of callback not noted');
      this.#again(pending, clock.now().wall + troubleMs);
      return;
    }
    pending.state = 'gone';
    this.#known.delete(pending.index);
    if (this.#looking !== undefined) this.#ended.add(pending.index);
    const { pendingMax } = this.#options.limits;
    if (this.#isBehind && this.#known.size <= pendingMax * 0.9) this.look();
  }

  async #attempt(pending: Pending): Promise<void> {
    const { courier, clock, source } = this.#options;
    if (pending.isOver) {
      await this.finish(pending);
      return;
    }
    try {
      const outcome = await courier.deliver(pending, source, this.#stopped.signal);
      switch (outcome.kind) {
        case 'over':
          await this.finish(pending);
          return;
        case 'again':
          pending.attempts++;
          this.#again(pending, outcome.at);
          return;
        case 'aborted':
          pending.state = 'gone';
          return;
      }
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#complain(error, 'callback not tried');
      this.#again(pending, clock.now().wall + troubleMs);
    }
  }

  #again(pending: Pending, at: number): void {
    pending.dueAt = at;
    this.#agenda.add(pending);
    this.#pump();
  }

  /** False: it is known already, or there is no room for it. */
  #add({ index, terms }: OutboxEntry): boolean {
    if (this.#stopped.signal.aborted || this.#known.has(index)) return false;
    if (this.#known.size >= this.#options.limits.pendingMax) {
      this.#isBehind = true;
      return false;
    }
    const { url, events = noEvents } = readTerms(terms).callback ?? { url: '' };
    const { progress, clock } = this.#options;
    const { attempts, dueAt } = progress.get(index) ?? {
      attempts: 0,
      dueAt: clock.now().wall,
    };
    progress.delete(index);
    const pending: Pending = {
      index,
      url,
      origin: originOf(url),
      events: events.length === 0 ? noEvents : events,
      attempts,
      dueAt,
      state: 'waiting',
      // Only wishes for a callback are written there.
      isOver: url === '',
    };
    this.#known.set(index, pending);
    this.#agenda.add(pending);
    return true;
  }

  async #look(): Promise<void> {
    const { source, clock, limits } = this.#options;
    this.#ended.clear();
    try {
      while (this.#isBehind && !this.#stopped.signal.aborted) {
        this.#isBehind = false;
        for (let from = 0; ; ) {
          if (this.#known.size >= limits.pendingMax) {
            // `finish` looks again when there is room.
            this.#isBehind = true;
            return;
          }
          const page = await source.pending(from, pageRows);
          const last = page.at(-1);
          if (last === undefined || this.#stopped.signal.aborted) break;
          for (const entry of page) if (!this.#ended.has(entry.index)) this.#add(entry);
          from = last.index + 1;
          this.#pump();
        }
        // What was under way and is not in the outbox came to its end unnoted.
        if (!this.#isBehind) this.#options.progress.clear();
      }
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#complain(error, 'outbox of callbacks not readable');
      this.#isBehind = true;
      clock.after(troubleMs, () => this.look());
    } finally {
      this.#ended.clear();
    }
  }

  /** All that is pending may fail for the same reason. */
  #complain(error: unknown, what: string): void {
    const { log, service, clock } = this.#options;
    const { mono } = clock.now();
    if (mono - this.#complainedAt < complainMs) return;
    this.#complainedAt = mono;
    log.warn({ service, error }, what);
  }

  #pump(): void {
    const { clock, gate } = this.#options;
    this.#agenda.arrive(clock.now().wall);
    this.#arm();
    gate.want(this);
  }

  #arm(): void {
    const { clock } = this.#options;
    const at = this.#agenda.nextAt;
    if (at === this.#timerAt || this.#stopped.signal.aborted) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    const inMs = Math.min(Math.max(0, at - clock.now().wall), napMsMax);
    this.#timer = clock.after(inMs, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#pump();
    });
  }
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : '';
}
