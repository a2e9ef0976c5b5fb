// What happened to the services and why: takes events from every part, numbers them, keeps the
// latest, on disk too, and tells those who follow. Recording never throws and waits for nothing;
// the disk is behind it by a moment, so a killed server may lose the last few.

import type { EventInfo, EventInfoKind } from '@sluice/sdk/wire';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { RecordEvent, ServiceEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import { EventFile } from './event-file.ts';
import { Follower } from './follower.ts';
import { type EventQuery, History, type HistoryLimits } from './history.ts';
import { Tallies, type Tally } from './tallies.ts';

export interface EventLogOptions {
  /** The one folder it owns. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<EventLimits>;
}

export interface EventLimits extends HistoryLimits {
  /** Events that wait for one follower; of more it gets the newest and the count of the rest. */
  readonly followerWaitingMax: number;
}

export const defaultEventLimits: EventLimits = {
  perServiceMax: 1000,
  totalMax: 20_000,
  afterDeletionMs: 3_600_000,
  followerWaitingMax: 1000,
};

/** Longest text, and longest value of a fact. */
const textMax = 1000;
const factsMax = 16;
/** The last numbers of a killed server may have been told and not kept: at least so many are passed
 * over, and none is used again. */
const numbersSkipped = 1000;
const sweepEveryMs = 600_000;

export class EventLog implements Component {
  readonly #clock: Clock;
  readonly #limits: EventLimits;
  readonly #history: History;
  readonly #file: EventFile;
  readonly #tallies = new Tallies();
  readonly #followers = new Set<Follower>();
  readonly #early: ServiceEvent[] = [];
  #last = 0;
  #started: Promise<void> | undefined;
  #isLoaded = false;
  #isOver = false;
  #sweeping: Timer | undefined;

  constructor({ folder, clock, log, limits }: EventLogOptions) {
    this.#clock = clock;
    this.#limits = { ...defaultEventLimits, ...limits };
    this.#history = new History(this.#limits);
    const everything = (): readonly EventInfo[] => this.#history.all();
    const lastNumber = (): number => this.#last;
    this.#file = new EventFile({ folder, everything, lastNumber, clock, log });
  }

  /** Brings back what earlier servers recorded. Never rejects: it goes on without the disk. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  /** Ends whoever follows; resolves when all is on disk, if the disk takes it. */
  async stop(): Promise<void> {
    await this.#started;
    this.endFollowing();
    this.#sweeping?.cancel();
    await this.#file.close();
  }

  /** Takes an event. Before the start it is kept for then. */
  readonly record: RecordEvent = (event) => {
    if (!this.#isLoaded) {
      if (this.#early.length < this.#limits.totalMax) this.#early.push(event);
      return;
    }
    this.#last += 1;
    const info = infoOf(event, this.#last, this.#clock.now().wall);
    this.#history.add(info);
    this.#tallies.add(info, 'now');
    this.#file.append(info);
    for (const follower of this.#followers) follower.offer(info);
  };

  /** The service is deleted: its events can be read for a while, then they are forgotten. */
  gone(service: string): void {
    this.#history.gone(service);
  }

  /** Of all services these are the ones that there are; the others are gone. */
  keep(services: Iterable<string>): void {
    const known = new Set(services);
    for (const service of this.#history.services()) {
      if (!known.has(service)) this.#history.gone(service);
    }
    this.#sweep();
  }

  /** Whether anything is known of a service of that name. */
  knows(service: string): boolean {
    this.#sweep();
    return this.#history.services().includes(service);
  }

  /** How often each thing has happened, of services that are there or were lately. */
  tallies(): Iterable<Readonly<Tally>> {
    return this.#tallies.all();
  }

  /** What is kept, by number. Where events with a higher number than `after` may have been dropped
   * already, it begins with one that says so. */
  read(query: EventQuery): readonly EventInfo[] {
    this.#sweep();
    const found = this.#history.read(query);
    const { service, after } = query;
    const droppedTo = this.#history.droppedTo(service);
    if (after === undefined || droppedTo <= after) return found;
    return [this.#notice(service, droppedTo, {}), ...found];
  }

  /** What `read` gives, then all that comes, until the signal or the end of the server. It begins
   * with the latest also after a number: what comes next must follow on them. */
  async *follow(query: EventQuery, signal: AbortSignal): AsyncGenerator<EventInfo> {
    const { service, kind } = query;
    const follower = new Follower({
      wants: (event) =>
        (service === undefined || event.service === service) &&
        (kind === undefined || event.kind === kind),
      waitingMax: this.#limits.followerWaitingMax,
      missed: (count, last) => this.#notice(service, last.number, { count }),
    });
    const end = (): void => follower.end();
    if (signal.aborted || this.#isOver) end();
    signal.addEventListener('abort', end, { once: true });
    this.#followers.add(follower);
    try {
      const { limit, ...rest } = query;
      const known = this.read(rest);
      yield* limit === undefined ? known : known.slice(Math.max(0, known.length - limit));
      for (;;) {
        const events = await follower.take();
        if (events.length === 0) return;
        yield* events;
      }
    } finally {
      this.#followers.delete(follower);
      signal.removeEventListener('abort', end);
    }
  }

  /** The server is about to stop: followers get what waits for them, and their end. */
  endFollowing(): void {
    this.#isOver = true;
    for (const follower of this.#followers) follower.end();
  }

  async #start(): Promise<void> {
    const { events, last } = await this.#file.load();
    for (const event of events) {
      // Whatever the file says: numbers rise.
      if (event.number <= this.#last) continue;
      this.#last = event.number;
      this.#history.add(event);
      this.#tallies.add(event, 'earlier');
    }
    this.#last = last === 0 ? 0 : (Math.floor(last / numbersSkipped) + 2) * numbersSkipped;
    this.#isLoaded = true;
    for (const event of this.#early.splice(0)) this.record(event);
    this.#sweepLater();
  }

  #sweepLater(): void {
    this.#sweeping = this.#clock.after(sweepEveryMs, () => {
      this.#sweep();
      this.#sweepLater();
    });
  }

  #sweep(): void {
    if (!this.#history.sweep(this.#clock.now().wall)) return;
    this.#tallies.keep(new Set(this.#history.services()));
    this.#file.renew();
  }

  #notice(
    service: string | undefined,
    number: number,
    facts: Readonly<Record<string, number>>,
  ): EventInfo {
    const many = facts.count === undefined ? 'earlier events' : `${facts.count} events`;
    return {
      number,
      at: new Date(this.#clock.now().wall).toISOString(),
      service: service ?? '',
      kind: 'missed',
      what: facts.count === undefined ? 'dropped' : 'slow',
      text:
        facts.count === undefined
          ? `${many} up to number ${number} may be missing: only the latest are kept`
          : `${many} up to number ${number} are left out: they came faster than they were read`,
      instance: '',
      facts,
    };
  }
}

function infoOf(event: ServiceEvent, number: number, wall: number): EventInfo {
  const { service, kind, what, text, instance = '', facts = {} } = event;
  const kept = Object.entries(facts).slice(0, factsMax).map(bounded);
  return {
    number,
    at: new Date(wall).toISOString(),
    service,
    kind: kind satisfies EventInfoKind,
    what,
    text: cut(text),
    instance,
    facts: Object.fromEntries(kept),
  };
}

/** JSON has no word for numbers that are none. */
function bounded([name, value]: readonly [string, string | number]): [string, string | number] {
  if (typeof value === 'string') return [name, cut(value)];
  return [name, Number.isFinite(value) ? value : String(value)];
}

function cut(text: string): string {
  return text.length <= textMax ? text : `${text.slice(0, textMax - 3)}...`;
}
