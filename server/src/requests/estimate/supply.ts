// What serves the requests of a service, as a curve: how many slots will have come free by a time,
// on average and how far chance spreads that. Slots at work come free as their requests end; those
// of instances that start, when these are ready. How long starting takes is the same luck for all
// of them: such curves are made for several scenarios, which share what does not depend on it.

import type { ServerFacts, WaitFacts } from '../wait-facts.ts';
import type { CountSum } from './counts.ts';
import type { Cell, ServiceTimes } from './service-times.ts';

/** Slots that come free at about the same time, each independent of the others. */
interface Block {
  readonly slots: number;
  readonly cells: readonly Cell[];
}

/** Slots that are there, all at once, from a time on. */
interface Joining {
  readonly slots: number;
  readonly atMs: number;
}

export interface Scenario {
  readonly weight: number;
  readonly joining: readonly Joining[];
}

interface Far {
  readonly fromMs: number;
  readonly mean: number;
  readonly meanPerMs: number;
  readonly variance: number;
  readonly variancePerMs: number;
}

export interface Supply {
  readonly times: ServiceTimes;
  /** Free now. */
  readonly free: number;
  readonly blocks: readonly Block[];
  readonly far: Far;
  /** Weights add up to 1; one without anything that joins where nothing starts. */
  readonly scenarios: readonly Scenario[];
}

/** How many slots have come free. */
export interface Freed {
  readonly mean: number;
  readonly variance: number;
}

const cellsMax = 64;
const cellsMinOfBlock = 4;
const cellsMaxOfBlock = 24;
const groupsMax = 16;
const startLevels = [1 / 6, 1 / 2, 5 / 6];
/** The autoscaler starts all that it may, half of them, or none: it is not asked here. */
const growths = [
  { share: 0, weight: 0.15 },
  { share: 0.5, weight: 0.2 },
  { share: 1, weight: 0.65 },
];
/** How long it may take until it decides to. */
const decisionMs = 5000;
/** An instance that refuses may do so again: the share that comes back when it said, and the share
 * that needs as long again. */
const refusals = { first: 0.5, second: 0.25 };

const nothingFar = { fromMs: Infinity, mean: 0, meanPerMs: 0, variance: 0, variancePerMs: 0 };

type Ready = Extract<ServerFacts, { state: 'ready' }>;
type Starting = Extract<ServerFacts, { state: 'starting' }>;

export function supplyOf(facts: WaitFacts): Supply {
  const times = facts.observed.serviceTimes;
  const ready = facts.servers.filter((one): one is Ready => one.state === 'ready');
  const free = ready.reduce((sum, { window, busy }) => sum + Math.max(0, window - busy), 0);
  const blocks = [...busyBlocks(ready, free, times), ...refusingBlocks(facts)];
  return {
    times,
    free,
    blocks,
    far: times.count > 0 ? farOf(blocks, times) : nothingFar,
    scenarios: scenariosOf(facts),
  };
}

/** Slots of the blocks that have come free by then, one request of each after the other. */
export function freedBy(ms: number, { blocks, far, times: { counts } }: Supply): Freed {
  if (ms >= far.fromMs) {
    const mean = far.mean + far.meanPerMs * ms;
    return { mean, variance: far.variance + far.variancePerMs * ms };
  }
  let mean = 0;
  let variance = 0;
  const sum: CountSum = { first: 0, second: 0 };
  for (const { slots, cells } of blocks) {
    sum.first = 0;
    sum.second = 0;
    for (const { lowMs, highMs, weight } of cells) {
      if (ms >= highMs) counts.add(sum, ms - (lowMs + highMs) / 2, weight);
      else if (ms > lowMs) {
        counts.add(sum, (ms - lowMs) / 2, (weight * (ms - lowMs)) / (highMs - lowMs));
      }
    }
    mean += slots * sum.first;
    variance += slots * Math.max(0, sum.second - sum.first * sum.first);
  }
  return { mean, variance };
}

/** Adds what a scenario brings by then: a new slot takes one request at once. */
export function joinedBy(ms: number, { joining }: Scenario, { counts }: ServiceTimes): Freed {
  let mean = 0;
  let variance = 0;
  const sum: CountSum = { first: 0, second: 0 };
  for (const { slots, atMs } of joining) {
    if (ms < atMs) continue;
    sum.first = 0;
    sum.second = 0;
    counts.add(sum, ms - atMs, 1);
    mean += slots * sum.first;
    variance += slots * Math.max(0, sum.second - sum.first * sum.first);
  }
  return { mean, variance };
}

/** Where every slot has come free and all go on evenly, the curve is a straight line. */
function farOf(blocks: readonly Block[], { counts }: ServiceTimes): Far {
  let lastMs = 0;
  const far = { fromMs: 0, mean: 0, meanPerMs: 0, variance: 0, variancePerMs: 0 };
  for (const { slots, cells } of blocks) {
    let total = 0;
    let middle = 0;
    let square = 0;
    for (const { lowMs, highMs, weight } of cells) {
      const one = (lowMs + highMs) / 2;
      total += weight;
      middle += weight * one;
      square += weight * one * one;
      lastMs = Math.max(lastMs, highMs);
    }
    // Some of it may never come free: that is no straight line.
    if (total < 0.999) return { ...far, fromMs: Number.POSITIVE_INFINITY };
    const { mean, variance } = counts;
    const spread = mean.perMs ** 2 * Math.max(0, square - middle ** 2);
    far.mean += slots * (1 + mean.start - mean.perMs * middle);
    far.meanPerMs += slots * mean.perMs;
    far.variance += slots * (variance.start - variance.perMs * middle + spread);
    far.variancePerMs += slots * variance.perMs;
  }
  return { ...far, fromMs: lastMs + counts.farMs };
}

/** Slots at work by how long they have been; free ones are taken at once by those before. */
function busyBlocks(ready: readonly Ready[], free: number, times: ServiceTimes): Block[] {
  const ages: number[] = [];
  let busy = 0;
  for (const one of ready) {
    busy += Math.min(one.busy, one.window);
    for (const age of one.runningMs) ages.push(age);
  }
  const unknown = Math.max(0, busy - ages.length);
  const groups = grouped(Float64Array.from(ages).sort(), groupsMax);
  const count = groups.length + (unknown > 0 ? 1 : 0) + (free > 0 ? 1 : 0);
  const parts = Math.floor(cellsMax / Math.max(1, count));
  const cells = Math.min(cellsMaxOfBlock, Math.max(cellsMinOfBlock, parts));
  const blocks: Block[] = [];
  for (const { slots, low, high } of groups) {
    const oldest = times.left(high, cells);
    const youngest = low === high ? oldest : times.left(low, cells);
    blocks.push({ slots, cells: oldest.map((cell, at) => widened(cell, youngest[at])) });
  }
  if (unknown > 0) blocks.push({ slots: unknown, cells: times.leftOfAny(cells) });
  if (free > 0) blocks.push({ slots: free, cells: times.left(0, cells) });
  return blocks;
}

/** Neighbours in a sorted list of values. */
interface Group {
  readonly slots: number;
  readonly low: number;
  readonly high: number;
}

function grouped(sorted: Float64Array, max: number): Group[] {
  const count = Math.min(sorted.length, max);
  const groups: Group[] = [];
  for (let group = 0; group < count; group += 1) {
    const from = Math.floor((group * sorted.length) / count);
    const to = Math.floor(((group + 1) * sorted.length) / count);
    groups.push({ slots: to - from, low: sorted[from] ?? 0, high: sorted[to - 1] ?? 0 });
  }
  return groups;
}

/** What is left of slots of neighbouring ages. */
function widened(oldest: Cell, youngest: Cell = oldest): Cell {
  return { ...oldest, highMs: Math.max(oldest.highMs, youngest.highMs) };
}

function refusingBlocks({ servers, now }: WaitFacts): Block[] {
  return servers.flatMap((server) => {
    if (server.state !== 'refusing' || server.until === 0) return [];
    const inMs = Math.max(0, server.until - now);
    const cells = [
      { lowMs: inMs, highMs: inMs, weight: refusals.first },
      { lowMs: inMs, highMs: 2 * inMs, weight: refusals.second },
    ];
    return [{ slots: server.window, cells }];
  });
}

function scenariosOf({ servers, mayStart, window, observed }: WaitFacts): Scenario[] {
  const starting = servers.filter((one): one is Starting => one.state === 'starting');
  const { startUpsMs } = observed;
  if (startUpsMs.length === 0 || (starting.length === 0 && mayStart === 0)) {
    return [{ weight: 1, joining: [] }];
  }
  const likely = likelyStarts(startUpsMs);
  const groups = startGroups(starting);
  const chosen = mayStart > 0 ? growths : [{ share: 0, weight: 1 }];
  return chosen.flatMap(({ share, weight }) =>
    startLevels.map((common): Scenario => {
      const more = grown(Math.ceil(share * mayStart) * window, common);
      const all = [...groups, ...more];
      const joining = all.map(({ slots, forMs, decidedInMs }, place) => {
        const level = (common + (place + 0.5) / all.length) / 2;
        return { slots, atMs: decidedInMs + startLeft(likely, forMs, level) };
      });
      return { weight: weight / startLevels.length, joining };
    }),
  );
}

interface StartGroup {
  readonly slots: number;
  readonly forMs: number;
  readonly decidedInMs: number;
}

const startGroupsMax = 5;
const grownGroups = 2;

function startGroups(starting: readonly Starting[]): StartGroup[] {
  const slots = starting.reduce((sum, { window }) => sum + window, 0);
  const mean = slots / Math.max(1, starting.length);
  const sorted = Float64Array.from(starting, ({ forMs }) => forMs).sort();
  // The longest under way first: it is the most likely one to be ready first.
  const groups = grouped(sorted, startGroupsMax).reverse();
  return groups.map((group) => ({
    slots: group.slots * mean,
    forMs: (group.low + group.high) / 2,
    decidedInMs: 0,
  }));
}

function grown(slots: number, level: number): StartGroup[] {
  if (slots === 0) return [];
  const one = { slots: slots / grownGroups, forMs: 0, decidedInMs: level * decisionMs };
  return Array.from({ length: grownGroups }, () => one);
}

/** How far few start-ups are spread to stand for those to come. */
const spread = 0.5;
const lateShare = 0.5;

/** Three of each that was seen, somewhat apart: the fewer, the further. Sorted. */
function likelyStarts(startUpsMs: readonly number[]): number[] {
  const apart = spread / Math.sqrt(1 + startUpsMs.length);
  return startUpsMs
    .flatMap((ms) => [ms * (1 - apart), ms, ms * (1 + apart)])
    .toSorted((one, other) => one - other);
}

/** How long starting still takes, at this share of all cases, once it has taken so long. */
function startLeft(likely: readonly number[], forMs: number, level: number): number {
  const from = likely.findIndex((ms) => ms > forMs);
  if (from < 0) return forMs * lateShare * 2 * level;
  const place = from + level * (likely.length - 1 - from);
  const below = Math.floor(place);
  const low = likely[below] ?? 0;
  return low + (place - below) * ((likely[below + 1] ?? low) - low) - forMs;
}
