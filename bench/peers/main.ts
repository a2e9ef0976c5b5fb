// `npm run bench -- --peers`: Sluice and other queues side by side, on the same machine in the same
// run, with the same payloads. It prints figures as they come and, when asked to, writes the
// document with its plots.

import { writeFileSync } from 'node:fs';
import { readFlags } from '../../scripts/usage.ts';
import type { Figure } from '../figures.ts';
import { headline, tableOf } from '../report.ts';
import { scenarios as ownScenarios } from '../scenarios/all.ts';
import { openWorld, type Scale } from '../world.ts';
import { type Arena, RunClock, stepsOf } from './arena.ts';
import { documentFiles, writeDocument } from './document.ts';
import { Findings } from './findings.ts';
import { peers, sluiceName } from './peers.ts';
import { jsonOf, linesOf } from './report.ts';
import { backlog, backlogSteps } from './scenarios/backlog.ts';
import { halfLoad, stepsOfHalfLoad } from './scenarios/half-load.ts';
import { httpPut } from './scenarios/http-put.ts';
import { consumers, cycle, partsOf, payload, put, take } from './scenarios/rates.ts';

interface Scenario {
  readonly run: (arena: Arena) => Promise<void>;
  /** Measurements of one peer. */
  readonly steps: (rounds: number) => number;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  put: { run: put, steps: stepsOf },
  take: { run: take, steps: stepsOf },
  cycle: { run: cycle, steps: stepsOf },
  'http-put': { run: httpPut, steps: stepsOf },
  'half-load': { run: halfLoad, steps: stepsOfHalfLoad },
  consumers: { run: consumers, steps: (rounds) => stepsOf(rounds) * partsOf.consumers },
  payload: { run: payload, steps: (rounds) => stepsOf(rounds) * partsOf.payload },
  backlog: { run: backlog, steps: () => backlogSteps },
};

/** The figures of `npm run bench` without peers. */
const own = 'own';
const minutesDefault = 150;

const usage = `
npm run bench -- --peers [flags]: measures Sluice beside other queues.
  --only NAMES     only these peers, with commas between them, always beside sluice:
                   ${peers.map(({ name }) => name).join(', ')}
  --scenario NAME  only this scenario, may be repeated:
                   ${[...Object.keys(scenarios), own].join(', ')}
  --rounds N       how often each is measured, after one round that warms up; 3; half-load is
                   measured 2 N + 1 times, after a round of 8 s
  --seconds N      how long a round takes; 3
  --minutes N      what has not begun by then is not run; ${minutesDefault}
  --quick          one round of a second, and 20,000 waiting messages instead of 1,000,000
  --json FILE      the figures as JSON
  --document DIR   writes performance.md and its plots there
  --folder DIR     where the data lie while it runs
  --profiles DIR   also writes a processor profile of each Node process there
`;

const { values } = readFlags(usage, {
  options: {
    peers: { type: 'boolean', default: true },
    only: { type: 'string', multiple: true },
    scenario: { type: 'string', multiple: true, default: [...Object.keys(scenarios), own] },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    minutes: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    document: { type: 'string' },
    folder: { type: 'string' },
    profiles: { type: 'string' },
  },
});

/** Ends the process with one line: what was asked for is not what there is. */
function refuse(why: string): never {
  process.stderr.write(`error: ${why}\n`);
  process.exit(1);
}

function positive(name: 'rounds' | 'seconds' | 'minutes', usual: number): number {
  const value = Number(values[name] ?? usual);
  if (!(value > 0)) refuse(`--${name} is a number above 0`);
  return value;
}

function scaleOf(): Scale {
  const usual = values.quick
    ? { rounds: 1, seconds: 1, waiting: 20_000 }
    : { rounds: 3, seconds: 3, waiting: 1_000_000 };
  return {
    waiting: usual.waiting,
    rounds: Math.ceil(positive('rounds', usual.rounds)),
    seconds: positive('seconds', usual.seconds),
  };
}

function chosen<Each>(
  what: string,
  names: readonly string[],
  known: ReadonlyMap<string, Each>,
): Each[] {
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    refuse(`there is no ${what} ${unknown.join(', ')}; there are: ${[...known.keys()].join(', ')}`);
  }
  return [...known].filter(([name]) => names.includes(name)).map(([, each]) => each);
}

async function main(): Promise<void> {
  const all = new Map(peers.map((peer) => [peer.name, peer]));
  const only = values.only?.flatMap((names) => names.split(',')) ?? [...all.keys()];
  const contestants = chosen('peer', [sluiceName, ...only], all);
  const known = new Map<string, Scenario | undefined>(Object.entries(scenarios));
  known.set(own, undefined);
  const playing = chosen('scenario', values.scenario, known).filter((each) => each !== undefined);
  const scale = scaleOf();
  const steps = playing.reduce((sum, each) => sum + each.steps(scale.rounds), 0);
  const clock = new RunClock({
    minutes: positive('minutes', minutesDefault),
    steps: steps * contestants.length,
  });
  const world = openWorld({ scale, folder: values.folder, profiles: values.profiles });
  let isInterrupted = false;
  const interrupted = (): void => {
    isInterrupted = true;
    void world.close().finally(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, interrupted);
  world.say(headline(scale));
  const findings = new Findings();
  const arena: Arena = { world, peers: contestants, findings, clock };
  try {
    for (const [name, scenario] of Object.entries(scenarios)) {
      if (!playing.includes(scenario)) continue;
      world.say(`\n${name}`);
      await scenario.run(arena);
    }
    const figures: Figure[] = [];
    for (const [name, run] of values.scenario.includes(own) ? Object.entries(ownScenarios) : []) {
      world.say(`\n${name}, Sluice alone`);
      figures.push(...(await run(world)));
    }
    for (const line of [...linesOf(findings), ...tableOf(figures)]) world.say(line);
    const found = { findings, figures, scale, peers: contestants };
    if (values.json !== undefined) writeFileSync(values.json, `${jsonOf(found)}\n`);
    if (values.document !== undefined) {
      writeDocument(values.document, documentFiles({ ...found, args: process.argv.slice(2) }));
    }
  } catch (error) {
    // Whatever fails once its processes are gone; the handler of the signal ends this one.
    if (!isInterrupted) throw error;
  } finally {
    await world.close();
  }
}

await main();
