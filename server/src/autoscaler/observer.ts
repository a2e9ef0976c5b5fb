// Turns what the other parts tell of a service into an observation; keeps the meters that need more
// than one look.

import { StartUps } from '../deployment/start-ups.ts';
import type { Time } from '../kernel/clock.ts';
import { Durations, Rate } from './meters.ts';
import type { InstanceCounts, Observation, Reading } from './observation.ts';
import type { InstanceFacts, QueueFacts, ScaledService } from './ports.ts';

/** Figures of single instances, gathered beforehand. */
export interface Gathered {
  /** Of the strategy at this place of the policy; undefined: none that needs gathering. */
  reading(at: number): Reading | undefined;
}

export const nothingGathered: Gathered = { reading: () => undefined };

export interface Look {
  readonly service: ScaledService;
  readonly queue: QueueFacts;
  readonly instances: readonly InstanceFacts[];
  readonly gathered: Gathered;
  /** The meters of other services. */
  readonly other: (service: string) => OtherService | undefined;
}

export interface OtherService {
  readonly backlog: number;
  readonly putsPerSecond: number;
}

/** The meters of one service. */
export class Observer {
  readonly #puts = new Rate();
  readonly #durations = new Durations();
  readonly #startUps = new StartUps();

  /** A call to the model has ended. */
  served(durationMs: number): void {
    this.#durations.add(durationMs);
  }

  /** What other services may ask for. */
  glance(queue: QueueFacts, now: Time): OtherService {
    this.#puts.note(now.mono, queue.puts);
    const putsPerSecond = this.#puts.perSecond(now.mono, queue.puts);
    return { backlog: queue.waiting + queue.backingOff, putsPerSecond };
  }

  look({ service, queue, instances, gathered, other }: Look, now: Time): Observation {
    const { backlog, putsPerSecond } = this.glance(queue, now);
    for (const { name, startedAt, readyAt, isTakenOver = false } of instances) {
      // How long one of an earlier server took is not known.
      if (readyAt > 0 && !isTakenOver) this.#startUps.note(name, startedAt, readyAt);
    }
    const readings = service.policy.strategies.map((strategy, at): Reading => {
      const { metric } = strategy;
      const from = strategy.service ?? service.name;
      const queued = from === service.name ? { backlog, putsPerSecond } : other(from);
      const gone: Reading = { kind: 'unknown', why: `the queues of ${from} are not open` };
      switch (metric) {
        case 'backlog-average':
          return queued === undefined ? gone : { kind: 'shared', total: queued.backlog };
        case 'qps':
          return queued === undefined ? gone : { kind: 'shared', total: queued.putsPerSecond };
        case 'backlog':
          return queued === undefined ? gone : { kind: 'whole', total: queued.backlog };
        case 'wait':
          return { kind: 'wait' };
        default:
          return gathered.reading(at) ?? { kind: 'unknown', why: 'it has not been measured yet' };
      }
    });
    return {
      count: service.count,
      window: service.window,
      backlog,
      leased: queue.leased,
      puts: queue.puts,
      putsPerSecond,
      instances: countsOf(instances, now),
      serviceTime: this.#durations.serviceTime(longestRunning(instances, now)),
      startUpMs: this.#startUps.meanMs,
      readings,
    };
  }
}

function countsOf(instances: readonly InstanceFacts[], now: Time): InstanceCounts {
  let ready = 0;
  let working = 0;
  let crashing = 0;
  let pending = 0;
  let trouble = '';
  const startingForMs: number[] = [];
  for (const instance of instances) {
    const { state, feed, readyAt, startedAt, reason } = instance;
    const isLeaving = state === 'Draining' || state === 'Terminated';
    if (!isLeaving && feed !== undefined && feed.running.length + feed.abandoned > 0) working += 1;
    switch (state) {
      case 'Running':
      case 'Busy':
        ready += 1;
        break;
      case 'Pulling':
      case 'Starting':
        startingForMs.push(startedAt === 0 ? 0 : Math.max(0, now.wall - startedAt));
        break;
      case 'CrashLoop':
        // One that has worked before is on its way back.
        if (readyAt > 0) startingForMs.push(0);
        else crashing += 1;
        if (readyAt === 0) trouble = reason;
        break;
      case 'Pending':
        pending += 1;
        if (trouble === '') trouble = reason;
        break;
      case 'Unhealthy':
      case 'Draining':
      case 'Terminated':
        break;
    }
  }
  return { ready, startingForMs, working, crashing, pending, trouble };
}

function longestRunning(instances: readonly InstanceFacts[], now: Time): number {
  let longest = 0;
  for (const { feed } of instances) {
    for (const { startedAt } of feed?.running ?? []) {
      longest = Math.max(longest, now.wall - startedAt);
    }
  }
  return longest;
}
