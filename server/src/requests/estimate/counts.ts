// How many requests one slot works off in a given time when the next one always waits: mean and
// variance of a renewal process (D. R. Cox, "Renewal Theory", 1962), worked out on a grid for the
// first mean service times and as a straight line beyond, where it is M(t) = t / S + constant but
// for steps about that line, which the last of the grid show.

/** How fine the grid is. */
export const stepsPerMean = 16;
const means = 12;
const steps = stepsPerMean * means;

/** A value that grows evenly: `start` at 0 ms, and so much more with each. */
interface Line {
  readonly start: number;
  readonly perMs: number;
}

/** The first two moments of a number, added up. */
export interface CountSum {
  first: number;
  second: number;
}

export class Counts {
  readonly #stepMs: number;
  readonly #mean = new Float64Array(steps + 1);
  readonly #variance = new Float64Array(steps + 1);
  /** Far from the beginning, from `farMs` on. */
  readonly mean: Line;
  readonly variance: Line;
  readonly farMs: number;

  /** `samples`: of the service time, in ms, all above 0. */
  constructor(samples: Float64Array, meanMs: number, squaredVariation: number) {
    this.#stepMs = meanMs / stepsPerMean;
    this.farMs = meanMs * means;
    const mass = masses(samples, this.#stepMs);
    const none = mass[0] ?? 0;
    const squares = new Float64Array(steps + 1);
    let within = 0;
    // N(t) = 0 unless the first ends by t, else 1 + N of the time that is left.
    for (let to = 0; to <= steps; to += 1) {
      within += mass[to] ?? 0;
      let linear = 0;
      let square = 0;
      for (let one = 1; one <= to; one += 1) {
        const share = mass[one] ?? 0;
        if (share === 0) continue;
        linear += share * (this.#mean[to - one] ?? 0);
        square += share * (squares[to - one] ?? 0);
      }
      const mean = (within + linear) / (1 - none);
      this.#mean[to] = mean;
      squares[to] = (within + 2 * (linear + none * mean) + square) / (1 - none);
      this.#variance[to] = Math.max(0, (squares[to] ?? 0) - mean ** 2);
    }
    this.mean = lineOf(this.#mean, 1 / meanMs, this.#stepMs);
    this.variance = lineOf(this.#variance, squaredVariation / meanMs, this.#stepMs);
  }

  /** Adds what a slot has worked off `ms` after it came free, that time included: 1 + N. */
  add(to: CountSum, ms: number, weight: number): void {
    let mean = 1;
    let variance = 0;
    const place = ms / this.#stepMs;
    if (place >= steps) {
      mean += this.mean.start + ms * this.mean.perMs;
      variance += this.variance.start + ms * this.variance.perMs;
    } else {
      const below = Math.floor(place);
      const above = place - below;
      mean += between(this.#mean, below, above);
      variance += between(this.#variance, below, above);
    }
    to.first += weight * mean;
    to.second += weight * (variance + mean * mean);
  }
}

function between(table: Float64Array, below: number, above: number): number {
  const low = table[below] ?? 0;
  return low + above * ((table[below + 1] ?? 0) - low);
}

/** Through the middle of the last mean service time. */
function lineOf(table: Float64Array, perMs: number, stepMs: number): Line {
  let above = 0;
  for (let step = steps - stepsPerMean + 1; step <= steps; step += 1) {
    above += (table[step] ?? 0) - (step - 0.5) * stepMs * perMs;
  }
  return { start: above / stepsPerMean, perMs };
}

/** The share of samples at each step: between two steps it is split, so that the mean stays. */
function masses(samples: Float64Array, stepMs: number): Float64Array {
  const mass = new Float64Array(steps + 1);
  const share = 1 / samples.length;
  for (const ms of samples) {
    const place = ms / stepMs;
    const below = Math.floor(place);
    if (below > steps) continue;
    mass[below] = (mass[below] ?? 0) + share * (below + 1 - place);
    if (below < steps) mass[below + 1] = (mass[below + 1] ?? 0) + share * (place - below);
  }
  return mass;
}
