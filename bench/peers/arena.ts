// How a scenario is played: all contestants on the machine at the same time, rounds in turns with
// another one first each time, the first round only to warm them up. It keeps the time and says how
// far the run is.

import type { World } from '../world.ts';
import { type Contestant, openContestant } from './contestants.ts';
import type { Findings, Sample } from './findings.ts';
import type { Peer } from './peers.ts';
import { NotRun } from './programs.ts';

export interface Arena {
  readonly world: World;
  readonly peers: readonly Peer[];
  readonly findings: Findings;
  readonly clock: RunClock;
}

/** The time that a run may take, and how much of its work is behind it. */
export class RunClock {
  readonly #startedAt = performance.now();
  readonly #minutes: number;
  readonly #steps: number;
  #done = 0;

  constructor(options: { readonly minutes: number; readonly steps: number }) {
    this.#minutes = options.minutes;
    this.#steps = options.steps;
  }

  /** Before each measurement; throws `NotRun` once the time is used up. */
  check(): void {
    if (this.#spent() >= this.#minutes) {
      throw new NotRun(`the time of ${this.#minutes} minutes was used up (--minutes)`);
    }
  }

  /** After each measurement; answers how far the run is. */
  step(count = 1): string {
    this.#done += count;
    const spent = this.#spent();
    const left = (spent / this.#done) * Math.max(0, this.#steps - this.#done);
    const share = Math.min(100, Math.round((this.#done / this.#steps) * 100));
    return `${share} %, ${spent.toFixed(0)} min, about ${left.toFixed(0)} min left`;
  }

  #spent(): number {
    return (performance.now() - this.#startedAt) / 60_000;
  }
}

/** One thing that is measured of every contestant in each round. */
export interface Part {
  readonly scenario: string;
  /** Rounds that count, where not as many as usual. */
  readonly rounds?: number;
  measure(contestant: Contestant, round: number): Promise<readonly Sample[]>;
}

/** Rounds of one thing: the warming one and those that count. */
export function stepsOf(rounds: number): number {
  return rounds + 1;
}

function stepsOfAll(parts: readonly Part[], { scale }: World): number {
  return parts.reduce((sum, { rounds = scale.rounds }) => sum + stepsOf(rounds), 0);
}

interface Match {
  readonly scenario: string;
  readonly payloadBytes: number;
  readonly parts: readonly Part[];
}

/** Opens all that can be opened, plays every part in rounds, and closes them. */
export async function play(arena: Arena, match: Match): Promise<void> {
  const open: Contestant[] = [];
  try {
    for (const peer of arena.peers) {
      const contestant = await enter(arena, match, peer);
      if (contestant !== undefined) open.push(contestant);
      else arena.clock.step(stepsOfAll(match.parts, arena.world));
    }
    for (const part of match.parts) {
      for (const broken of await playPart(arena, open, part)) {
        // Whatever state it is in: the next part has a new one.
        open.splice(open.indexOf(broken), 1);
        await broken.leave();
        const contestant = await enter(arena, match, broken.peer);
        if (contestant !== undefined) open.push(contestant);
      }
    }
  } finally {
    await Promise.all(open.map((contestant) => contestant.leave()));
  }
}

async function enter(
  { world, findings }: Arena,
  { scenario, payloadBytes, parts }: Match,
  peer: Peer,
): Promise<Contestant | undefined> {
  const folder = world.folder(`${peer.name}-${scenario.replaceAll('/', '-')}`);
  try {
    return await openContestant(world, peer, { folder, payloadBytes });
  } catch (error) {
    for (const part of parts) findings.notRun(peer.name, part.scenario, error);
    world.say(`  ${peer.name}: not run: ${firstLine(error)}`);
    return undefined;
  }
}

/** Answers those that failed. */
async function playPart(
  { world, findings, clock }: Arena,
  open: readonly Contestant[],
  part: Part,
): Promise<ReadonlySet<Contestant>> {
  const { rounds = world.scale.rounds } = part;
  const late = new Set<Contestant>();
  const broken = new Set<Contestant>();
  for (let at = 0; at <= rounds * open.length + open.length - 1; at++) {
    const round = Math.floor(at / open.length);
    const contestant = open[(at + round) % open.length];
    if (contestant === undefined || late.has(contestant) || broken.has(contestant)) continue;
    const { name } = contestant.peer;
    try {
      clock.check();
      const samples = await part.measure(contestant, round);
      await contestant.run({ kind: 'empty' });
      if (round > 0) findings.add(name, samples);
      const shown = samples.map(({ value, unit }) => `${shortly(value)}${unit}`).join(' ');
      const label = round === 0 ? 'warming' : `round ${round}`;
      world.say(`  ${part.scenario}, ${label}, ${name}: ${shown} (${clock.step()})`);
    } catch (error) {
      clock.step(stepsOf(rounds) - round);
      const isLate = error instanceof NotRun;
      (isLate ? late : broken).add(contestant);
      // Fewer rounds for lack of time are still rounds.
      if (isLate && round > 1) continue;
      findings.notRun(name, part.scenario, error);
      world.say(`  ${part.scenario}, ${name}: not run: ${firstLine(error)}`);
    }
  }
  return broken;
}

/** Three digits are enough to watch. */
function shortly(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Why something did not run, on one line. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n').find((line) => line.trim() !== '') ?? '';
}
