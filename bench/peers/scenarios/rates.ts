// How much goes through when there is always more to do: puts alone, puts with takes and
// completions at once, the same with results; by the number of consumers and by payload size.

import { windowOfAll } from '../adapter.ts';
import { type Arena, type Part, play } from '../arena.ts';
import type { Run } from '../contestants.ts';
import type { Sample } from '../findings.ts';
import type { PeerJob } from '../load-jobs.ts';

/** As many as the SDK's putMany keeps under way. */
const inFlight = 1024;
/** So that a thousand consumers with a window of one each find a message. */
const inFlightOfMany = 2 * windowOfAll;
const usualBytes = 1024;
const consumerCounts = [1, 10, 200, 1000] as const;

/** With large payloads fewer are under way: the bytes count, not the messages. */
const payloads = [
  { bytes: 100, inFlight },
  { bytes: 1024, inFlight },
  { bytes: 8192, inFlight: 256 },
  { bytes: 2 ** 20 - 1024, inFlight: 16 },
] as const;

interface Cycle {
  readonly payloadBytes?: number;
  readonly inFlight?: number;
  readonly consumers?: number;
  readonly results?: boolean;
}

/** Puts, each acknowledged by itself, 1,024 under way. */
export function put(arena: Arena): Promise<void> {
  const { seconds } = arena.world.scale;
  const job = { kind: 'put', payloadBytes: usualBytes, inFlight, seconds } as const;
  const parts = [ratePart('put', job)];
  return play(arena, { scenario: 'put', payloadBytes: usualBytes, parts });
}

/** The next put when one is completed, without a result. */
export function take(arena: Arena): Promise<void> {
  const parts = [cyclePart(arena, 'take', {})];
  return play(arena, { scenario: 'take', payloadBytes: usualBytes, parts });
}

/** The next put when the submitter has the result of one, as large as the message. */
export function cycle(arena: Arena): Promise<void> {
  const parts = [cyclePart(arena, 'cycle', { results: true })];
  return play(arena, { scenario: 'cycle', payloadBytes: usualBytes, parts });
}

/** As `take`, with more and more consumers that share one window of 1,024. */
export function consumers(arena: Arena): Promise<void> {
  const parts = consumerCounts.map((count) =>
    cyclePart(arena, `consumers/${count}`, { consumers: count, inFlight: inFlightOfMany }),
  );
  return play(arena, { scenario: 'consumers', payloadBytes: usualBytes, parts });
}

/** As `take`, with payloads of several sizes. */
export async function payload(arena: Arena): Promise<void> {
  for (const { bytes: payloadBytes, inFlight: underWay } of payloads) {
    const scenario = `payload/${payloadBytes}`;
    const parts = [cyclePart(arena, scenario, { payloadBytes, inFlight: underWay })];
    await play(arena, { scenario, payloadBytes, parts });
  }
}

/** How many parts each has: what they cost in time. */
export const partsOf = { consumers: consumerCounts.length, payload: payloads.length } as const;

function cyclePart({ world }: Arena, scenario: string, options: Cycle): Part {
  const job = {
    kind: 'cycle',
    payloadBytes: usualBytes,
    inFlight,
    consumers: 1,
    results: false,
    ...options,
    seconds: world.scale.seconds,
  } as const;
  return ratePart(scenario, job);
}

function ratePart(scenario: string, job: PeerJob): Part {
  return {
    scenario,
    measure: async (contestant, round) => {
      const found = await contestant.run(job);
      // A round that warms up may pass without anything.
      return round === 0 && found.answer.main.done === 0 ? [] : [rateOf(scenario, found)];
    },
  };
}

/** Messages a second, with what each has cost. */
export function rateOf(scenario: string, { answer, serverUs, clientUs }: Run): Sample {
  const { done, seconds } = answer.main;
  if (done === 0) throw new Error('nothing was done in the time of a round');
  return { scenario, unit: '/s', value: done / seconds, serverUs, clientUs };
}
