// A queue that grows to a million waiting messages: how fast messages still go through at several
// lengths, what one that waits costs in memory, and how long a start takes until the first of them
// is in a consumer's hands. One peer after another: each has the memory of the machine to itself.

import { rmSync } from 'node:fs';
import type { World } from '../../world.ts';
import { type Arena, firstLine } from '../arena.ts';
import { type Contestant, openContestant } from '../contestants.ts';
import type { Peer } from '../peers.ts';
import { NotRun } from '../programs.ts';
import { rateOf } from './rates.ts';

const scenario = 'backlog';
const payloadBytes = 1024;
const inFlight = 1024;
/** Shares of the whole at which is measured; 10,000 of 1,000,000 is the first to compare with. */
const shares = [0, 0.01, 0.1, 0.25, 0.5, 1] as const;
const fillSecondsMax = 300;

/** How many measurements one peer takes. */
export const backlogSteps: number = shares.length + 1;

/** The lengths at which the rates are taken. */
export function lengthsOf(waiting: number): readonly number[] {
  return shares.map((share) => Math.round(waiting * share));
}

/** Fills, measures, starts again. */
export async function backlog(arena: Arena): Promise<void> {
  const { world, findings, clock, peers } = arena;
  for (const peer of peers) {
    const folder = world.folder(`${peer.name}-${scenario}`);
    try {
      clock.check();
      const { waiting, emptyBytes } = await grow(arena, peer, folder);
      clock.check();
      await again(arena, peer, { folder, waiting, emptyBytes });
      world.say(`  ${scenario}, ${peer.name}: done (${clock.step()})`);
    } catch (error) {
      for (const part of ['memory', 'start']) {
        findings.notRun(peer.name, `${scenario}-${part}`, error);
      }
      world.say(`  ${scenario}, ${peer.name}: not run: ${firstLine(error)}`);
      clock.step();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

interface Grown {
  readonly waiting: number;
  readonly emptyBytes: number;
}

async function grow(arena: Arena, peer: Peer, folder: string): Promise<Grown> {
  const { world, findings, clock } = arena;
  const lengths = lengthsOf(world.scale.waiting);
  let contestant: Contestant | undefined;
  let length = 0;
  let emptyBytes = 0;
  try {
    contestant = await openContestant(world, peer, { folder, payloadBytes });
    emptyBytes = contestant.memoryBytes();
    await cycles(world, contestant);
    for (const wanted of lengths) {
      clock.check();
      length += await fill(contestant, wanted - length);
      if (length < wanted) {
        throw new NotRun(`${fillSecondsMax} s were not enough to put ${wanted} messages`);
      }
      const part = `${scenario}/${wanted}`;
      const run = await cycles(world, contestant);
      const { done } = run.answer.main;
      if (done === 0) findings.notRun(peer.name, part, 'nothing was done in the time of a round');
      else findings.add(peer.name, [rateOf(part, run)]);
      const rate = (done / world.scale.seconds).toFixed(0);
      world.say(`  ${part}, ${peer.name}: ${rate}/s (${clock.step()})`);
    }
    return { waiting: length, emptyBytes };
  } catch (error) {
    for (const wanted of lengths.filter((each) => each > length || length === 0)) {
      findings.notRun(peer.name, `${scenario}/${wanted}`, error);
    }
    throw error;
  } finally {
    await contestant?.close();
  }
}

function cycles(world: World, contestant: Contestant) {
  const { seconds } = world.scale;
  const options = { payloadBytes, inFlight, seconds, consumers: 1, results: false };
  return contestant.run({ kind: 'cycle', ...options });
}

async function fill(contestant: Contestant, count: number): Promise<number> {
  if (count <= 0) return 0;
  const job = { kind: 'fill', payloadBytes, count, secondsMax: fillSecondsMax } as const;
  return (await contestant.run(job)).answer.main.done;
}

/** A new process on what the last one kept. */
async function again(
  { world, findings }: Arena,
  peer: Peer,
  { folder, waiting, emptyBytes }: Grown & { readonly folder: string },
): Promise<void> {
  const contestant = await openContestant(world, peer, { folder, payloadBytes });
  try {
    // The start of the load program between the two is not the peer's.
    const askedAt = performance.timeOrigin + performance.now();
    const { answer } = await contestant.run({ kind: 'first' });
    const ms = contestant.startMs + answer.main.endedAt - askedAt;
    const bytes = (contestant.memoryBytes() - emptyBytes) / waiting;
    findings.add(peer.name, [
      { scenario: `${scenario}-memory`, unit: 'bytes', value: bytes },
      { scenario: `${scenario}-start`, unit: 's', value: ms / 1000 },
    ]);
  } finally {
    await contestant.close();
  }
}
