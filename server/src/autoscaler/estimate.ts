// How long a request waits, and how many instances keep that below a target: the arithmetic
// behind `queue[wait]`. Three questions, each with an estimate that can be checked by hand:
//
// 1. How long would a request wait that is put now? Those before it are taken as slots come free,
//    a slot every S / (n * w) seconds: the queue-length estimate of W. Whitt, "Predicting Queueing
//    Delays", Management Science 45 (6), 1999; instances that start bring w slots when they are
//    ready.
// 2. How long would one wait that is put when an instance started now is ready? The same, with what
//    will have come and gone by then.
// 3. How long do requests wait while they keep coming like this? In a G/G/m queue
//    P(wait) = r ^ (sqrt(2 (m + 1)) - 1) (H. Sakasegawa, "An approximation formula
//    Lq = a r^b / (1 - r)", 1977), and a wait, where there is one, is nearly exponential with the
//    mean V S / (m (1 - r)), V being half the sum of the squared variations of the gaps between
//    requests (1: they come at random) and of the service times (J. Kingman, 1962).
//
// Played in `autoscaler-estimate.test.ts`.

/** What serves the requests. Times in seconds. */
export interface Supply {
  /** Instances that take work now. */
  readonly ready: number;
  /** Of each further one, when it will. */
  readonly readyInS: readonly number[];
  /** Requests that one instance works on at a time. */
  readonly window: number;
  /** How long one request is worked on. */
  readonly serviceS: number;
  /** Requests that are being worked on. */
  readonly busy: number;
}

export interface Demand {
  readonly backlog: number;
  readonly putsPerS: number;
  /** Of the service times. */
  readonly squaredVariation: number;
  /** How long an instance takes to become ready. */
  readonly startUpS: number;
}

/** So many of the requests wait no longer than the target while requests keep coming alike. */
const shareLate = 0.05;

/**
 * Seconds until a request with `ahead` others before it is taken; Infinity: never, nothing serves.
 *
 * Example: 2 instances with a window of 1 are busy with requests of 10 s, a third one will be ready
 * in 4 s, and 5 requests wait. A slot comes free every 5 s. In the 4 s until the third is ready 0.8
 * are taken, it takes one itself, and 4.2 of the 6 are left, for which three instances need
 * 4.2 * 10 / 3 = 14 s: the next request waits 18 s.
 */
export function waitOf(ahead: number, supply: Supply): number {
  const { window, serviceS } = supply;
  let left = ahead + 1 - Math.max(0, supply.ready * window - supply.busy);
  let rate = (supply.ready * window) / serviceS;
  let atS = 0;
  for (const readyInS of supply.readyInS.toSorted((one, other) => one - other)) {
    const taken = rate * (readyInS - atS);
    if (left <= taken) break;
    left -= taken + window;
    atS = readyInS;
    rate += window / serviceS;
  }
  if (left <= 0) return atS;
  return rate === 0 ? Number.POSITIVE_INFINITY : atS + left / rate;
}

/**
 * The share of requests that wait longer than `targetS` while `putsPerS` keep coming.
 *
 * Example: 0.5 requests a second of 4 s each keep two instances of window 1 busy; with 3 (r = 2/3,
 * m = 3) the share that waits is (2/3) ^ (sqrt(8) - 1) = 0.477, and with random service times
 * (V = 1) its mean wait is 4 / (3 * 1/3) = 4 s: longer than 10 s wait 0.477 * e ^ -2.5 = 3.9 %.
 */
export function shareAbove(
  targetS: number,
  instances: number,
  supply: Pick<Supply, 'window' | 'serviceS'>,
  demand: Pick<Demand, 'putsPerS' | 'squaredVariation'>,
): number {
  const slots = instances * supply.window;
  const load = (demand.putsPerS * supply.serviceS) / slots;
  if (demand.putsPerS === 0) return 0;
  if (!(load < 1)) return 1;
  const waits = load ** (Math.sqrt(2 * (slots + 1)) - 1);
  const variation = (1 + demand.squaredVariation) / 2;
  const meanS = (variation * supply.serviceS) / (slots * (1 - load));
  return waits * Math.exp(-targetS / meanS);
}

/**
 * Whether `count` instances hold the target: those there are, and new ones or fewer.
 *
 * A backlog is no reason to start any number of instances that then have nothing to do. At most
 * twice those that are ready are started so that it is below the target when they are; beyond that
 * only so many that it is worked off in the time that they take to start. Example: 300 requests of
 * 3 s wait for one instance, the target is 10 s. If starting takes 30 s, 30 instances would work it
 * off in another 30 s; 90, in 10 s, would each have spent three times as long on starting as on
 * work.
 */
export function holds(targetS: number, count: number, supply: Supply, demand: Demand): boolean {
  if (shareAbove(targetS, count, supply, demand) > shareLate) return false;
  const changed = withCount(count, supply, demand.startUpS);
  const { backlog, putsPerS, startUpS } = demand;
  // A new instance is of no use to who will have waited too long before it is ready.
  const canHelp = count < existing(supply) || startUpS < targetS;
  if (canHelp && waitOf(backlog, changed) > targetS) return false;
  const laterWaitS = waitAfter(startUpS, backlog, putsPerS, changed);
  const isDoubled = count >= 2 * Math.max(1, supply.ready);
  return laterWaitS <= (isDoubled ? Math.max(targetS, startUpS) : targetS);
}

/** The smallest number up to `max` that holds the target; `max` when none does. */
export function countFor(targetS: number, max: number, supply: Supply, demand: Demand): number {
  const isIdle = demand.backlog === 0 && demand.putsPerS === 0 && supply.busy === 0;
  if (isIdle) return 0;
  let low = 1;
  let high = max;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(targetS, middle, supply, demand)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function existing({ ready, readyInS }: Supply): number {
  return ready + readyInS.length;
}

/** More instances are ready after the start-up time; of fewer those stay that are ready first. */
function withCount(count: number, supply: Supply, startUpS: number): Supply {
  const more = count - existing(supply);
  if (more >= 0) {
    return { ...supply, readyInS: [...supply.readyInS, ...Array(more).fill(startUpS)] };
  }
  const ready = Math.min(count, supply.ready);
  const readyInS = supply.readyInS.toSorted((one, other) => one - other);
  return { ...supply, ready, readyInS: readyInS.slice(0, count - ready) };
}

/** How long a request would wait that is put in `laterS`, everything staying as it is. */
function waitAfter(laterS: number, backlog: number, putsPerS: number, supply: Supply): number {
  const { ready, window, serviceS, readyInS } = supply;
  const slotSeconds = readyInS.reduce(
    (sum, atS) => sum + window * Math.max(0, laterS - atS),
    ready * window * laterS,
  );
  // Slots that are free now, or come with an instance, take a request each before they pace.
  const atOnce = Math.max(0, ready * window - supply.busy);
  const started = readyInS.filter((atS) => atS <= laterS).length;
  const taken = slotSeconds / serviceS + atOnce + started * window;
  const left = backlog + putsPerS * laterS - taken;
  const later: Supply = {
    ...supply,
    ready: ready + started,
    readyInS: readyInS.filter((atS) => atS > laterS).map((atS) => atS - laterS),
    busy: left < 0 ? Math.max(0, (ready + started) * window + left) : (ready + started) * window,
  };
  return waitOf(Math.max(0, left), later);
}
