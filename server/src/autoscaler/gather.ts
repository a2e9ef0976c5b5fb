// Collects the figures that have to be asked of single instances: what they use of the machine, and
// what they show at /metrics. Each instance is asked once however many strategies want to know.

import type { ScalingStrategy } from '../deployment/scaling.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Reading } from './observation.ts';
import type { Gathered } from './observer.ts';
import type { InstanceFacts, ScaledService, ScalerPorts, Usage } from './ports.ts';
import { type Scraped, type ScrapeLimits, scrape } from './scrape.ts';

export interface GatherOptions {
  readonly ports: Pick<ScalerPorts, 'instances' | 'usage' | 'gpuPercent' | 'cpuMillis'>;
  readonly clock: Clock;
  readonly limits: ScrapeLimits;
  /** Aborted: the answer is not wanted any more. */
  readonly signal: AbortSignal;
}

/** Instances that are asked at the same time. */
const askedAtOnce = 32;

/** Whether anything has to be gathered for a strategy. */
export function isGathered({ metric }: ScalingStrategy): boolean {
  return metric === 'cpu' || metric === 'gpu' || typeof metric === 'object';
}

/** Never rejects. */
export async function gather(service: ScaledService, options: GatherOptions): Promise<Gathered> {
  const wanted = service.policy.strategies.filter(isGathered);
  const sources = new Set(wanted.map((strategy) => strategy.service ?? service.name));
  const asked = new Map<string, Asked>();
  for (const source of sources) {
    const strategies = wanted.filter((strategy) => (strategy.service ?? service.name) === source);
    asked.set(source, await ask(source, strategies, options));
  }
  return {
    reading(at) {
      const strategy = service.policy.strategies[at];
      if (strategy === undefined || !isGathered(strategy)) return undefined;
      const found = asked.get(strategy.service ?? service.name);
      if (found === undefined) return undefined;
      const reading = readingOf(strategy, found);
      return strategy.service === undefined ? reading : asIfOurs(reading, service.count);
    },
  };
}

/** What the ready instances of one service answered. */
interface Asked {
  readonly ready: readonly InstanceFacts[];
  readonly usage: ReadonlyMap<string, Usage>;
  readonly gpuPercent: ReadonlyMap<string, number>;
  readonly scraped: ReadonlyMap<string, Scraped>;
  readonly cpuMillis: number;
}

async function ask(
  service: string,
  strategies: readonly ScalingStrategy[],
  { ports, clock, limits, signal }: GatherOptions,
): Promise<Asked> {
  const ready = ports
    .instances(service)
    .filter(({ state }) => state === 'Running' || state === 'Busy');
  const wants = (wanted: ScalingStrategy['metric']): boolean =>
    strategies.some(({ metric }) => metric === wanted);
  const names = new Set(
    strategies.flatMap(({ metric }) => (typeof metric === 'object' ? [metric.name] : [])),
  );
  const scraped = new Map<string, Scraped>();
  const usage: ReadonlyMap<string, Usage> = wants('cpu')
    ? await ports.usage(service).catch(() => new Map())
    : new Map();
  const gpuPercent: ReadonlyMap<string, number> = wants('gpu')
    ? await ports.gpuPercent(service).catch(() => new Map())
    : new Map();
  for (let at = 0; names.size > 0 && at < ready.length; at += askedAtOnce) {
    const step = ready.slice(at, at + askedAtOnce).map(async ({ name, url }) => {
      scraped.set(name, await scrape(url, names, { clock, signal, limits }));
    });
    await Promise.all(step);
  }
  return { ready, usage, gpuPercent, scraped, cpuMillis: ports.cpuMillis(service) };
}

function readingOf({ metric }: ScalingStrategy, asked: Asked): Reading {
  let sum = 0;
  let known = 0;
  let missing = 0;
  let why = 'no instance is ready';
  for (const { name } of asked.ready) {
    const value = figureOf(metric, name, asked);
    if (typeof value === 'number') {
      sum += value;
      known += 1;
    } else {
      missing += 1;
      why = `${name}: ${value}`;
    }
  }
  return { kind: 'each', sum, known, missing, why };
}

/** A figure; or why there is none. */
function figureOf(
  metric: ScalingStrategy['metric'],
  instance: string,
  { usage, gpuPercent, scraped, cpuMillis }: Asked,
): number | string {
  if (metric === 'cpu') {
    const cores = usage.get(instance)?.cpuCores;
    if (cores === undefined) return 'what it uses of the machine is not known';
    return (cores * 100) / (cpuMillis > 0 ? cpuMillis / 1000 : 1);
  }
  if (metric === 'gpu') {
    return gpuPercent.get(instance) ?? 'what it uses of its accelerators is not known';
  }
  if (typeof metric === 'string') return 'it is not a figure of instances';
  const found = scraped.get(instance) ?? 'it was not asked';
  if (typeof found === 'string') return found;
  return found.get(metric.name) ?? `its metrics have no ${metric.name}`;
}

/** The instances of another service stand for ours: what counts is their average. */
function asIfOurs(reading: Reading, count: number): Reading {
  if (reading.kind !== 'each') return reading;
  if (reading.known === 0 || reading.missing > 0) return { kind: 'unknown', why: reading.why };
  return { ...reading, sum: (reading.sum / reading.known) * count, known: count };
}
