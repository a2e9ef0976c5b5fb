// What a row of health checks means for an instance: when it is ready, when it gets no work, when
// it has to go. Pure. The first rule of all: checks never end an instance that holds work.

import type { HealthCheck } from '../deployment/instances.ts';
import type { ProbeResult } from './probe.ts';

export type Health =
  /** No check has passed yet. */
  | 'starting'
  | 'ready'
  /** It holds work and is too busy to answer: nothing more until it does. */
  | 'busy'
  | 'unhealthy';

export interface CheckSituation {
  /** It has requests, or may still work on abandoned ones. */
  readonly holdsWork: boolean;
  /** Since the process was started. */
  readonly ageMs: number;
}

export interface Judgement {
  readonly health: Health;
  /** It is to be ended (and started anew). */
  readonly isLost: boolean;
}

/** Probing while it starts is quicker than its period: a second of waiting is a second lost. */
const firstProbeMs = 100;
const startProbeMsMax = 1000;

export class Vitals {
  readonly #check: HealthCheck;
  #health: Health = 'starting';
  #successes = 0;
  #failures = 0;
  /** Age at the last failure that counted. */
  #countedAt = Number.NEGATIVE_INFINITY;
  #probes = 0;

  constructor(check: HealthCheck) {
    this.#check = check;
  }

  get health(): Health {
    return this.#health;
  }

  /** From the end of one check to the beginning of the next. */
  nextInMs(): number {
    if (this.#health !== 'starting') return this.#check.periodMs;
    const doubled = firstProbeMs * 2 ** Math.min(this.#probes, 10);
    return Math.min(doubled, startProbeMsMax, this.#check.periodMs);
  }

  judge(result: ProbeResult, situation: CheckSituation): Judgement {
    this.#probes += 1;
    if (result.ok) return this.#passed();
    this.#successes = 0;
    if (this.#health === 'starting') return this.#failedToStart(situation);
    if (situation.holdsWork && result.timedOut) {
      this.#health = 'busy';
      return { health: 'busy', isLost: false };
    }
    this.#failures += 1;
    if (this.#failures < this.#check.failureThreshold) {
      return { health: this.#health, isLost: false };
    }
    this.#health = 'unhealthy';
    return { health: 'unhealthy', isLost: !situation.holdsWork };
  }

  #passed(): Judgement {
    this.#failures = 0;
    this.#successes += 1;
    const enough = this.#successes >= this.#check.successThreshold;
    if (this.#health === 'busy' || enough) this.#health = 'ready';
    return { health: this.#health, isLost: false };
  }

  /** Failures are forgiven for a while, then counted once a period, however quick the probes. */
  #failedToStart({ ageMs, holdsWork }: CheckSituation): Judgement {
    const { initialDelayMs, periodMs, failureThreshold } = this.#check;
    const counts = ageMs >= initialDelayMs && ageMs - this.#countedAt >= periodMs;
    if (counts) {
      this.#failures += 1;
      this.#countedAt = ageMs;
    }
    const isLost = this.#failures >= failureThreshold && !holdsWork;
    return { health: 'starting', isLost };
  }
}
