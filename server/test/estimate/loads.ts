// The loads on which estimates are judged: steady ones up to nearly full, and bursts, with service
// times that never, somewhat or widely vary.

import { draw, parseLatency } from '../../src/cli/mock-model/latency.ts';
import type { SeededRandom } from '../simulation/seeded-random.ts';
import type { Arrival, Draw, Load } from './world.ts';

function times(text: string): Draw {
  const latency = parseLatency(text);
  if (latency === undefined) throw new Error(`${text} is no distribution`);
  return (random) => draw(latency, () => random.fraction());
}

/** All with a mean of about 2 s. */
const services = {
  constant: { service: times('2s'), meanMs: 2000 },
  exponential: { service: times('exponential:2s'), meanMs: 2000 },
  'log-normal': { service: times('lognormal:1213ms,1'), meanMs: 2000 },
  'wide log-normal': { service: times('lognormal:649ms,1.5'), meanMs: 2000 },
};
type ServiceName = keyof typeof services;
const serviceNames = Object.keys(services) as ServiceName[];

/** At random, so many a second. */
function* poisson(
  random: SeededRandom,
  perSecond: number,
  fromMs: number,
  toMs: number,
): Generator<number> {
  let at = fromMs;
  for (;;) {
    at += (-Math.log(1 - random.fraction()) * 1000) / perSecond;
    if (at >= toMs) return;
    yield at;
  }
}

const lengthMs = 800_000;

/** Requests at random that keep the slots busy for this share of the time. */
function steady(name: ServiceName, slots: readonly [number, number], load: number): Load {
  const [instances, window] = slots;
  const { service, meanMs } = services[name];
  const perSecond = (load * instances * window * 1000) / meanMs;
  const lasting = Math.max(lengthMs, (450 / perSecond) * 1000);
  return {
    name: `steady ${load * 100} %, ${instances} x ${window}, ${name}`,
    arrivals: (random) =>
      [...poisson(random, perSecond, 0, lasting)].map((at) => ({ at, priority: 0 })),
    service,
    instances,
    window,
    judgedFromMs: lasting / 6,
  };
}

interface Burst {
  readonly service: ServiceName;
  readonly instances: number;
  readonly window: number;
  readonly count: number;
  readonly scaling?: Load['scaling'];
  readonly urgentShare?: number;
  readonly slower?: number;
}

const burstAt = 120_000;

/** A light load, then many within five seconds; then the light load again. */
function burst(name: string, what: Burst): Load {
  const { service, meanMs } = services[what.service];
  const perSecond = (0.3 * Math.max(1, what.instances) * what.window * 1000) / meanMs;
  const urgent = what.urgentShare ?? 0;
  return {
    name: `burst, ${name}, ${what.service}`,
    arrivals: (random) => {
      const light = [...poisson(random, perSecond, 0, burstAt + 300_000)];
      const many = Array.from({ length: what.count }, () => burstAt + 5000 * random.fraction());
      return [...light, ...many]
        .toSorted((one, other) => one - other)
        .map((at): Arrival => ({ at, priority: random.chance(urgent) ? 1 : 0 }));
    },
    service,
    instances: what.instances,
    window: what.window,
    ...(what.scaling === undefined ? {} : { scaling: what.scaling }),
    ...(what.slower === undefined ? {} : { slower: { from: burstAt, times: what.slower } }),
    judgedFromMs: burstAt + (what.slower === undefined ? 0 : 40_000),
  };
}

const sizes = [
  [1, 1],
  [4, 1],
  [3, 8],
] as const;

export const steadyLoads: readonly Load[] = [0.7, 0.85, 0.95].flatMap((load) =>
  sizes.flatMap((slots) => serviceNames.map((name) => steady(name, slots, load))),
);

/** Some requests pass others. */
export const urgentLoads: readonly Load[] = serviceNames.map((name) => {
  const load = steady(name, [4, 1], 0.85);
  return {
    ...load,
    name: `${load.name}, a third urgent`,
    arrivals: (random) =>
      load.arrivals(random).map(({ at }) => ({ at, priority: random.chance(0.33) ? 1 : 0 })),
  };
});

const quick = { max: 6, backlog: 10, startUp: times('uniform:8s,12s') };
const slow = { max: 10, backlog: 5, startUp: times('lognormal:20s,0.4') };

export const burstLoads: readonly Load[] = serviceNames.flatMap((service) => [
  burst('150 on 1 x 1', { service, instances: 1, window: 1, count: 150 }),
  burst('300 on 4 x 1', { service, instances: 4, window: 1, count: 300 }),
  burst('1,500 on 3 x 8', { service, instances: 3, window: 8, count: 1500 }),
  burst('300 on 4 x 1, a fifth urgent', {
    service,
    instances: 4,
    window: 1,
    count: 300,
    urgentShare: 0.2,
  }),
]);

export const scalingLoads: readonly Load[] = serviceNames.flatMap((service) => [
  burst('200 on 1 to 6', { service, instances: 1, window: 1, count: 200, scaling: quick }),
  burst('200 on 0 to 6', { service, instances: 0, window: 2, count: 200, scaling: quick }),
  burst('400 on 2 to 10, slow starts', {
    service,
    instances: 2,
    window: 2,
    count: 400,
    scaling: slow,
  }),
]);

/** What was learned does not hold any more. */
export const slowerLoads: readonly Load[] = serviceNames.map((service) =>
  burst('300 on 4 x 1, work takes twice as long since 40 s', {
    service,
    instances: 4,
    window: 1,
    count: 300,
    slower: 2,
  }),
);
