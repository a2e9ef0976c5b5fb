// Synthetic loads: when requests come. Each repeats exactly: it has a seed of its own.

import { SeededRandom } from '../simulation/seeded-random.ts';

export interface Load {
  readonly name: string;
  /** In words, for the table. */
  readonly text: string;
  readonly lengthS: number;
  /** When requests come, in seconds, rising. */
  readonly arrivals: readonly number[];
}

const hour = 3600;

export const loads: readonly Load[] = loadsOf(0);

/** The same loads with other chance. */
export function loadsOf(seed: number): readonly Load[] {
  const load = loadMaker(seed);
  return [
    load('steady', '2 requests a second at random, 1 h', hour, () => 2),
    load('burst', 'one in 5 s, and twice 300 within 10 s, 1 h', hour, (atS) =>
      isWithin(atS, 600, 10) || isWithin(atS, 2400, 10) ? 30 : 0.2,
    ),
    load('sawtooth', 'rising from 0 to 4 a second in 15 min, four times', hour, (atS) => {
      return (4 * (atS % 900)) / 900;
    }),
    load('day', 'a day in 6 h: 0.2 to 4 a second and back', 6 * hour, (atS) => {
      return 2.1 - 1.9 * Math.cos((2 * Math.PI * atS) / (6 * hour));
    }),
    load('trickle', 'one in 20 min, 8 h', 8 * hour, () => 1 / 1200),
  ];
}

function isWithin(atS: number, fromS: number, lengthS: number): boolean {
  return atS >= fromS && atS < fromS + lengthS;
}

/** Requests that come at random with a rate that changes: each step is small against it. */
function loadMaker(
  seed: number,
): (name: string, text: string, lengthS: number, perSecond: (atS: number) => number) => Load {
  return (name, text, lengthS, perSecond) => {
    const random = new SeededRandom(seed * 7919 + name.length * 1009 + lengthS);
    const arrivals: number[] = [];
    const most = 40;
    for (let atS = 0; ; ) {
      atS += -Math.log(1 - random.fraction()) / most;
      if (atS >= lengthS) break;
      if (random.fraction() * most < perSecond(atS)) arrivals.push(atS);
    }
    return { name, text, lengthS, arrivals };
  };
}
