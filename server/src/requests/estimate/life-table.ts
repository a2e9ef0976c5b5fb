// How long calls take, from those that have ended and those under way: an estimate that does not
// lean to short ones only because the long ones of a burst have not ended yet. For each age it
// counts the calls that were seen at that age and those that ended at it (E. Kaplan and P. Meier,
// 1958, with calls that were already under way when counting began).

/** A call as far as it was seen: from the age at which it was first seen to that at its end, or
 * now. In ms. */
export interface Life {
  readonly from: number;
  readonly to: number;
  readonly ended: boolean;
}

/** Of all that still run at one age, all ended: as good as certain. */
const certain = 3;
/** Calls that are under way for longer than any took may take this share of that longer. */
const tailShare = 0.4;

export class LifeTable {
  /** Ages at which calls ended, rising; the share that lasts longer; the sum of hazards. */
  readonly #ages: number[] = [];
  readonly #left: number[] = [];
  readonly #hazard: number[] = [];
  readonly #longest: number;

  /**
   * Example: calls ended after 1 s and 3 s, one has run for 2 s. All 3 were seen at 1 s: 1/3 ends
   * there. At 3 s one was seen, and ended: so the 2/3 that are left all do.
   */
  constructor(lives: readonly Life[]) {
    const known = lives.filter(({ from, to }) => to > from);
    const ends = Float64Array.from(known.filter(({ ended }) => ended).map(({ to }) => to)).sort();
    const exits = Float64Array.from(known.map(({ to }) => to)).sort();
    const entries = Float64Array.from(known.map(({ from }) => from)).sort();
    let entered = 0;
    let gone = 0;
    let left = 1;
    let hazard = 0;
    for (let at = 0; at < ends.length; ) {
      const age = ends[at] ?? 0;
      let ending = 0;
      for (; ends[at] === age; at += 1) ending += 1;
      while (entered < entries.length && (entries[entered] ?? 0) < age) entered += 1;
      while (gone < exits.length && (exits[gone] ?? 0) < age) gone += 1;
      const seen = entered - gone;
      // Where few were seen, one end is no reason to think that none lasts longer.
      const isLast = at >= ends.length;
      const share = ending / (seen > ending || isLast ? seen : seen + 1);
      left *= 1 - share;
      hazard += share < 1 ? -Math.log(1 - share) : certain;
      this.#ages.push(age);
      this.#left.push(left);
      this.#hazard.push(hazard);
    }
    this.#longest = exits.at(-1) ?? 0;
  }

  /** How many ends are to be expected of a call between the two ages, when it goes on after each. */
  expected(from: number, to: number): number {
    return this.#hazardAt(to) - this.#hazardAt(from);
  }

  /** So many times, each as likely as the others, rising. */
  times(count: number): number[] {
    const times: number[] = [];
    let at = 0;
    const rest = this.#left.at(-1) ?? 1;
    for (let one = 0; one < count; one += 1) {
      const left = 1 - (one + 0.5) / count;
      while (at < this.#left.length && (this.#left[at] ?? 0) > left) at += 1;
      const age = this.#ages[at];
      // Beyond the last that ended: as if they went on to end at random.
      times.push(age ?? this.#longest * (1 + tailShare * Math.log(rest / left)));
    }
    return times;
  }

  /** In the middle of the step where there is one. */
  #hazardAt(age: number): number {
    const at = firstNotBelow(this.#ages, age);
    const before = this.#hazard[at - 1] ?? 0;
    return this.#ages[at] === age ? (before + (this.#hazard[at] ?? 0)) / 2 : before;
  }
}

function firstNotBelow(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}
