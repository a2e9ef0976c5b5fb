// A queue with instances in virtual time, the same each time, and what is said of each request that
// has to wait: when it may start, by the estimate and by the rule of thumb beside it.

import { estimateStart, forecastStart } from '../../src/requests/estimate/estimate.ts';
import { WaitObserver } from '../../src/requests/estimate/observer.ts';
import type { Estimate } from '../../src/requests/request.ts';
import type { ServerFacts, WaitFacts } from '../../src/requests/wait-facts.ts';
import type { SeededRandom } from '../simulation/seeded-random.ts';

/** Draws one time, in ms. */
export type Draw = (random: SeededRandom) => number;

export interface Arrival {
  readonly at: number;
  readonly priority: number;
}

export interface Load {
  readonly name: string;
  readonly arrivals: (random: SeededRandom) => readonly Arrival[];
  readonly service: Draw;
  /** Ready from the beginning. */
  readonly instances: number;
  readonly window: number;
  /** More are started when requests wait: up to `max`, one for so many that wait. */
  readonly scaling?: { readonly max: number; readonly backlog: number; readonly startUp: Draw };
  /** From then on service takes so many times as long. */
  readonly slower?: { readonly from: number; readonly times: number };
  /** Only what is said from then on is looked at. */
  readonly judgedFromMs: number;
}

/** What was said of one request when it came, or while it waited, and what became of it. */
export interface Saying {
  readonly at: number;
  readonly ahead: number;
  readonly estimate: Estimate;
  /** Requests before it times the mean service time, by slots. */
  readonly thumbMs: number;
  /** From when it was said. */
  trueMs: number;
}

interface Waiting {
  readonly index: number;
  readonly priority: number;
  readonly sayings: Saying[];
}

interface Instance {
  readonly name: string;
  readonly startedAt: number;
  readyAt: number;
  readonly running: Map<number, number>;
}

type Happening = { readonly at: number } & (
  | { readonly kind: 'arrival'; readonly priority: number }
  | { readonly kind: 'end'; readonly instance: Instance; readonly index: number }
  | { readonly kind: 'ready'; readonly instance: Instance }
  | { readonly kind: 'scale' }
  | { readonly kind: 'ask' }
);

const scaleMs = 2000;
/** How often somebody asks about one that waits. */
const askMs = 1000;

export class World {
  readonly sayings: Saying[] = [];
  readonly #load: Load;
  readonly #random: SeededRandom;
  readonly #observer = new WaitObserver();
  readonly #happenings: Happening[] = [];
  readonly #instances: Instance[] = [];
  readonly #waiting: Waiting[] = [];
  #now = 0;
  #index = 0;
  #arrivalsLeft = 0;

  constructor(load: Load, random: SeededRandom) {
    this.#load = load;
    this.#random = random;
    // Whatever ran before: some calls, and some starts.
    for (let call = 0; call < 60; call += 1) this.#observer.served(load.service(random), 0);
    const { scaling } = load;
    for (let start = 1; scaling !== undefined && start <= 4; start += 1) {
      this.#observer.started(`before-${start}`, 1, 1 + scaling.startUp(random));
    }
    for (let one = 0; one < load.instances; one += 1) this.#instances.push(this.#instance(0));
  }

  run(): readonly Saying[] {
    const arrivals = this.#load.arrivals(this.#random);
    this.#arrivalsLeft = arrivals.length;
    for (const { at, priority } of arrivals) this.#plan({ kind: 'arrival', at, priority });
    if (this.#load.scaling !== undefined) this.#plan({ kind: 'scale', at: scaleMs });
    this.#plan({ kind: 'ask', at: this.#load.judgedFromMs });
    for (let next = this.#happenings.shift(); next; next = this.#happenings.shift()) {
      this.#now = next.at;
      this.#happen(next);
    }
    return this.sayings;
  }

  #happen(next: Happening): void {
    switch (next.kind) {
      case 'arrival':
        this.#arrive(next.priority);
        break;
      case 'end': {
        const startedAt = next.instance.running.get(next.index) ?? 0;
        next.instance.running.delete(next.index);
        this.#observer.served(this.#now - startedAt, this.#now);
        break;
      }
      case 'ready':
        next.instance.readyAt = this.#now;
        this.#observer.started(next.instance.name, next.instance.startedAt, this.#now);
        break;
      case 'scale':
        this.#scale();
        break;
      case 'ask':
        this.#ask();
        break;
    }
    this.#handOut();
  }

  #arrive(priority: number): void {
    this.#index += 1;
    this.#arrivalsLeft -= 1;
    this.#observer.arrived(priority, this.#now);
    const one: Waiting = { index: this.#index, priority, sayings: [] };
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.priority ?? 0) < priority) at -= 1;
    this.#waiting.splice(at, 0, one);
    if (this.#free() > 0) return;
    this.#say(one, at);
    const facts = this.facts(one, at);
    const forecast = this.#observer.wantsToFollow(this.#now) ? forecastStart(facts) : '';
    if (typeof forecast !== 'string') this.#observer.follow(one.index, forecast, this.#now);
  }

  #ask(): void {
    const at = this.#random.between(0, Math.max(0, this.#waiting.length - 1));
    const one = this.#waiting[at];
    if (one !== undefined) this.#say(one, at);
    if (!this.#isOver()) this.#plan({ kind: 'ask', at: this.#now + askMs });
  }

  #isOver(): boolean {
    return this.#waiting.length === 0 && this.#arrivalsLeft === 0;
  }

  #say(one: Waiting, ahead: number): void {
    if (this.#now < this.#load.judgedFromMs) return;
    const facts = this.facts(one, ahead);
    const slots = Math.max(1, this.#ready().length) * this.#load.window;
    const thumbMs = ((ahead + 1) * facts.observed.serviceTimes.meanMs) / slots;
    const estimate = estimateStart(facts);
    one.sayings.push({ at: this.#now, ahead, estimate, thumbMs, trueMs: 0 });
  }

  facts({ priority }: Waiting, ahead: number): WaitFacts {
    const { window, scaling } = this.#load;
    const servers = this.#instances.map((instance): ServerFacts => {
      if (instance.readyAt === 0) {
        return { state: 'starting', window, forMs: this.#now - instance.startedAt };
      }
      const runningMs = [...instance.running.values()].map((startedAt) => this.#now - startedAt);
      const busy = runningMs.length;
      return { state: 'ready', window, busy, runningMs, isChoosy: false };
    });
    return {
      now: this.#now,
      request: {
        ahead,
        backingOffBefore: 0,
        home: 'record',
        priority,
        delayUntil: 0,
        backoffUntil: 0,
        isSuspect: false,
      },
      queue: {
        paused: '',
        sinkLength: 0,
        sinkReserved: 0,
        sinkCapacity: 1,
        sinkEvicts: false,
        resultsFull: false,
      },
      servers,
      mayStart: Math.max(0, (scaling?.max ?? 0) - this.#instances.length),
      window,
      observed: this.#observer.facts(
        priority,
        servers.flatMap((server) => (server.state === 'ready' ? server.runningMs : [])),
        this.#now,
      ),
    };
  }

  #handOut(): void {
    for (;;) {
      const instance = this.#ready().find(({ running }) => running.size < this.#load.window);
      const one = instance === undefined ? undefined : this.#waiting.shift();
      if (instance === undefined || one === undefined) return;
      instance.running.set(one.index, this.#now);
      this.#observer.delivered(one.index, this.#now);
      for (const saying of one.sayings) {
        saying.trueMs = this.#now - saying.at;
        this.sayings.push(saying);
      }
      const { slower, service } = this.#load;
      const times = slower !== undefined && this.#now >= slower.from ? slower.times : 1;
      const at = this.#now + times * service(this.#random);
      this.#plan({ kind: 'end', at, instance, index: one.index });
    }
  }

  #scale(): void {
    const { scaling } = this.#load;
    if (scaling === undefined) return;
    const wanted = Math.min(scaling.max, Math.ceil(this.#waiting.length / scaling.backlog));
    while (this.#instances.length < wanted) {
      const instance = this.#instance(this.#now);
      this.#instances.push(instance);
      this.#plan({ kind: 'ready', at: this.#now + scaling.startUp(this.#random), instance });
    }
    if (!this.#isOver()) this.#plan({ kind: 'scale', at: this.#now + scaleMs });
  }

  #instance(startedAt: number): Instance {
    const name = `instance-${this.#instances.length + 1}`;
    return { name, startedAt, readyAt: startedAt === 0 ? 1 : 0, running: new Map() };
  }

  #ready(): Instance[] {
    return this.#instances.filter(({ readyAt }) => readyAt > 0);
  }

  #free(): number {
    const busy = this.#ready().reduce((sum, { running }) => sum + running.size, 0);
    return this.#ready().length * this.#load.window - busy - this.#waiting.length + 1;
  }

  /** Kept in order; what happens at the same time happens in the order it was planned. */
  #plan(happening: Happening): void {
    let low = 0;
    let high = this.#happenings.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#happenings[middle]?.at ?? 0) <= happening.at) low = middle + 1;
      else high = middle;
    }
    this.#happenings.splice(low, 0, happening);
  }
}
