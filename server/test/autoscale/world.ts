// A service on a synthetic load, in virtual time: instances that take time to start and to serve,
// one queue, and a scaler that is asked every period. Everything repeats exactly.

import { SeededRandom } from '../simulation/seeded-random.ts';
import type { Load } from './loads.ts';

export interface Model {
  /** Mean time of a request, and how it varies around it: uniformly, by half. */
  readonly serviceS: number;
  readonly startUpS: number;
  readonly window: number;
}

export interface SimInstance {
  readonly name: string;
  readonly startedAt: number;
  readyAt: number | undefined;
  isLeaving: boolean;
  /** When each of its requests began. */
  running: number[];
}

/** What a scaler sees. Seconds. */
export interface SimView {
  readonly atS: number;
  readonly count: number;
  readonly waiting: number;
  readonly puts: number;
  readonly instances: readonly SimInstance[];
}

export interface SimScaler {
  readonly periodS: number;
  decide(view: SimView): number;
  /** A request was finished. */
  served?(seconds: number): void;
  /** Asked also as soon as a request comes and the count is 0. */
  readonly wakes: boolean;
}

export interface Outcome {
  readonly requests: number;
  /** From coming until an instance takes it, seconds. */
  readonly waitP50: number;
  readonly waitP95: number;
  readonly waitMax: number;
  /** Share that waited longer than the target. */
  readonly late: number;
  /** Instance-seconds, starting ones included. */
  readonly spent: number;
  /** Of these, the ones in which no request was worked on, counted by slots. */
  readonly wasted: number;
  readonly changes: number;
  /** Times that a change goes the other way than the one before. */
  readonly turns: number;
  readonly countMax: number;
  readonly counts: readonly { readonly atS: number; readonly count: number }[];
}

interface Event {
  readonly atS: number;
  readonly run: () => void;
}

export class World {
  readonly #load: Load;
  readonly #model: Model;
  readonly #scaler: SimScaler;
  readonly #random = new SeededRandom(7);
  readonly #events: Event[] = [];
  /** Those that have not ended. */
  readonly #instances = new Set<SimInstance>();
  readonly #queue: number[] = [];
  readonly #waits: number[] = [];
  readonly #counts: { atS: number; count: number }[] = [];
  #head = 0;
  #now = 0;
  #count: number;
  #puts = 0;
  #busyS = 0;
  #spentS = 0;
  #born = 0;

  constructor(load: Load, model: Model, scaler: SimScaler, count: number) {
    this.#load = load;
    this.#model = model;
    this.#scaler = scaler;
    this.#count = count;
  }

  run(targetS: number): Outcome {
    for (let born = 0; born < this.#count; born += 1) this.#start(0);
    this.#counts.push({ atS: 0, count: this.#count });
    const { periodS } = this.#scaler;
    let tick = periodS;
    let next = 0;
    const { arrivals, lengthS } = this.#load;
    // Goes on after the load has ended until all is done, so that nothing is left out.
    for (;;) {
      const arrival = arrivals[next] ?? Number.POSITIVE_INFINITY;
      const event = this.#events[0]?.atS ?? Number.POSITIVE_INFINITY;
      const at = Math.min(arrival, event, tick);
      if (at >= lengthS && this.#isDone(next)) break;
      this.#now = at;
      if (event === at) this.#events.shift()?.run();
      else if (arrival === at) {
        next += 1;
        this.#arrive();
      } else {
        tick += periodS;
        this.#scale();
      }
      this.#dispatch();
    }
    return this.#outcome(targetS);
  }

  #isDone(next: number): boolean {
    const isIdle = [...this.#instances].every(({ running }) => running.length === 0);
    return next >= this.#load.arrivals.length && this.#waiting === 0 && isIdle;
  }

  get #waiting(): number {
    return this.#queue.length - this.#head;
  }

  #arrive(): void {
    this.#queue.push(this.#now);
    this.#puts += 1;
    if (this.#count === 0 && this.#scaler.wakes) this.#scale();
  }

  #scale(): void {
    const instances = [...this.#instances];
    const { atS, count, waiting, puts } = {
      atS: this.#now,
      count: this.#count,
      waiting: this.#waiting,
      puts: this.#puts,
    };
    const wanted = this.#scaler.decide({ atS, count, waiting, puts, instances });
    if (wanted === this.#count) return;
    this.#count = wanted;
    this.#counts.push({ atS: this.#now, count: wanted });
    const staying = instances.filter(({ isLeaving }) => !isLeaving);
    for (let missing = wanted - staying.length; missing > 0; missing -= 1) this.#start();
    for (const one of byWorth(staying).slice(0, Math.max(0, staying.length - wanted))) {
      one.isLeaving = true;
      if (one.running.length === 0) this.#end(one);
    }
  }

  #start(startUpS = this.#model.startUpS * (0.9 + 0.2 * this.#random.fraction())): void {
    this.#born += 1;
    const instance: SimInstance = {
      name: `i-${this.#born}`,
      startedAt: this.#now,
      readyAt: undefined,
      isLeaving: false,
      running: [],
    };
    this.#instances.add(instance);
    this.#at(this.#now + startUpS, () => {
      instance.readyAt = this.#now;
    });
  }

  #end(instance: SimInstance): void {
    this.#instances.delete(instance);
    this.#spentS += this.#now - instance.startedAt;
  }

  #dispatch(): void {
    while (this.#waiting > 0) {
      const taker = this.#freest();
      if (taker === undefined) return;
      const came = this.#queue[this.#head] ?? this.#now;
      this.#head += 1;
      this.#waits.push(this.#now - came);
      this.#serve(taker);
    }
  }

  #freest(): SimInstance | undefined {
    let best: SimInstance | undefined;
    for (const one of this.#instances) {
      if (one.isLeaving || one.readyAt === undefined) continue;
      if (one.running.length >= this.#model.window) continue;
      if (best === undefined || one.running.length < best.running.length) best = one;
    }
    return best;
  }

  #serve(instance: SimInstance): void {
    const begun = this.#now;
    const takesS = this.#model.serviceS * (0.5 + this.#random.fraction());
    instance.running.push(begun);
    this.#busyS += takesS;
    this.#at(begun + takesS, () => {
      instance.running.splice(instance.running.indexOf(begun), 1);
      this.#scaler.served?.(takesS);
      if (instance.isLeaving && instance.running.length === 0) this.#end(instance);
    });
  }

  #at(atS: number, run: () => void): void {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.atS ?? 0) <= atS) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { atS, run });
  }

  #outcome(targetS: number): Outcome {
    const waits = this.#waits.toSorted((one, other) => one - other);
    const at = (share: number): number =>
      waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0;
    for (const instance of [...this.#instances]) this.#end(instance);
    const spent = this.#spentS;
    const changes = this.#counts.slice(1).map(({ count }, one) => {
      return Math.sign(count - (this.#counts[one]?.count ?? 0));
    });
    return {
      requests: waits.length,
      waitP50: at(0.5),
      waitP95: at(0.95),
      waitMax: waits.at(-1) ?? 0,
      late: waits.filter((wait) => wait > targetS).length / Math.max(1, waits.length),
      spent,
      wasted: spent - this.#busyS / this.#model.window,
      changes: changes.length,
      turns: changes.filter((sign, one) => one > 0 && sign !== changes[one - 1]).length,
      countMax: Math.max(...this.#counts.map(({ count }) => count)),
      counts: this.#counts,
    };
  }
}

/** As the instance manager chooses: not ready before ready, idle before busy, young before old. */
function byWorth(instances: readonly SimInstance[]): readonly SimInstance[] {
  return [...instances].reverse().sort((one, other) => {
    const ready = Number(one.readyAt !== undefined) - Number(other.readyAt !== undefined);
    return ready !== 0 ? ready : one.running.length - other.running.length;
  });
}
