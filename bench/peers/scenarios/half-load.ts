// How long a message takes when there is room: at half of what the peer itself completes, from when
// a put was due until it is acknowledged, and until it is in a consumer's hands.

import { type Arena, play, stepsOf } from '../arena.ts';
import type { Contestant } from '../contestants.ts';
import type { Sample } from '../findings.ts';
import { rateOf } from './rates.ts';

const scenario = 'half-load';
const payloadBytes = 1024;
const inFlight = 1024;
/** The rate is found by a program that has run for a while: one which has just begun, and is still
 * being compiled, has another one. */
const warmSecondsMin = 8;

/** One stall of the machine is most of a slowest hundredth, so the median needs more rounds. */
function manyRounds(rounds: number): number {
  return rounds > 1 ? 2 * rounds + 1 : rounds;
}

/** Measurements of one peer. */
export function stepsOfHalfLoad(rounds: number): number {
  return stepsOf(manyRounds(rounds));
}

/** The first round finds the rate, the others play at half of it. */
export function halfLoad(arena: Arena): Promise<void> {
  const { seconds, rounds } = arena.world.scale;
  const warmSeconds = seconds > 1 ? Math.max(seconds, warmSecondsMin) : seconds;
  const halves = new Map<Contestant, number>();
  const measure = async (contestant: Contestant): Promise<readonly Sample[]> => {
    const perSecond = halves.get(contestant);
    if (perSecond === undefined) {
      const full = await contestant.run({
        kind: 'cycle',
        ...{ payloadBytes, inFlight, consumers: 1, results: false },
        seconds: warmSeconds,
      });
      const rate = rateOf(scenario, full);
      halves.set(contestant, rate.value / 2);
      return [rate];
    }
    const { answer } = await contestant.run({ kind: 'open', payloadBytes, perSecond, seconds });
    const { main, submit } = answer;
    if (submit === undefined || main.done === 0) throw new Error('nothing was delivered');
    const sample = (name: string, value: number): Sample => ({
      scenario: `${scenario}/${name}`,
      unit: 'ms',
      value,
    });
    return [
      { scenario: `${scenario}/rate`, unit: '/s', value: main.done / main.seconds },
      sample('submit_p50', submit.p50Ms),
      sample('submit_p99', submit.p99Ms),
      sample('dispatch_p50', main.p50Ms),
      sample('dispatch_p99', main.p99Ms),
    ];
  };
  return play(arena, {
    scenario,
    payloadBytes,
    parts: [{ scenario, rounds: manyRounds(rounds), measure }],
  });
}
