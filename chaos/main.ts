// `npm run chaos`: real servers on a real disk are killed, stopped, starved and cut off while
// clients work with them; an outside ledger then says what became of every accepted request. What
// each scenario does stands in its own file of chaos/scenarios/.
//
//   npm run chaos [-- --only NAME,.. --kills N --quick --json FILE]

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { readFlags } from '../scripts/usage.ts';
import { play } from './play.ts';
import { documentOf, isGood, lineOf, tableOf } from './report.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import type { World } from './world.ts';

const killsFull = 300;
/** Those with the larger shares kill twice in a quick run, the others once. */
const quickShare = 30;
/** A quick run plays so many at the same time; a full one leaves the machine to one. */
const jobsQuick = 3;

const usage = `
npm run chaos -- [flags]: kills, stops and starves real servers while a ledger outside watches.
  --only NAME,...  only these scenarios
  --kills N        SIGKILLs of the server, spread over the scenarios (300)
  --quick          every scenario once, in less than a minute
  --json FILE      the outcome as JSON
`;

const { values } = readFlags(usage, {
  options: {
    only: { type: 'string', multiple: true },
    kills: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

function chosen(): readonly Scenario[] {
  const names = (values.only ?? []).flatMap((each) => each.split(',')).filter((name) => name);
  if (names.length === 0) return scenarios;
  return names.map((name) => {
    const scenario = scenarios.find((each) => each.name === name);
    if (scenario !== undefined) return scenario;
    const known = scenarios.map((each) => each.name).join(', ');
    throw new Error(`there is no scenario ${name}; there are: ${known}`);
  });
}

/** How often a scenario is to kill the server, by its share of the whole. */
function killsOf({ share }: Scenario, cast: readonly Scenario[]): number {
  if (share === 0) return 0;
  if (values.quick && values.kills === undefined) return share < quickShare ? 1 : 2;
  const kills = Number(values.kills ?? killsFull);
  if (!(kills >= 1)) throw new Error('--kills is a number above 0');
  return Math.ceil((kills * share) / cast.reduce((sum, each) => sum + each.share, 0));
}

/** A line that is written over, on a terminal only. */
function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
}

function say(text: string): void {
  progress('');
  process.stdout.write(`${text}\n`);
}

/** Programs of util-linux that every scenario uses. */
const programs = ['setpriv', 'prlimit'];

function checkSystem(): void {
  if (process.platform !== 'linux') throw new Error('the harness needs Linux');
  const missing = programs.filter((name) => spawnSync(name, ['--version']).status !== 0);
  if (missing.length > 0) throw new Error(`${missing.join(' and ')} of util-linux is missing`);
}

async function main(): Promise<void> {
  const cast = chosen();
  checkSystem();
  const worlds = new Set<World>();
  let isInterrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      isInterrupted = true;
      say('interrupted');
      const closes = [...worlds].map((world) => world.close());
      void Promise.allSettled(closes).finally(() => process.exit(130));
    });
  }
  const outcomes = new Map<Scenario, Outcome>();
  const left = [...cast];
  const job = async (): Promise<void> => {
    for (let scenario = left.shift(); scenario !== undefined; scenario = left.shift()) {
      const { name } = scenario;
      const outcome = await play(scenario, {
        kills: killsOf(scenario, cast),
        isQuick: values.quick,
        say: (text) => progress(`${name}: ${text}`),
        opened: (world) => worlds.add(world),
        closed: (world) => worlds.delete(world),
      });
      // What was interrupted has no outcome; the process ends when its worlds are closed.
      if (isInterrupted) return;
      outcomes.set(scenario, outcome);
      say(lineOf(outcome));
    }
  };
  await Promise.all(Array.from({ length: values.quick ? jobsQuick : 1 }, job));
  if (isInterrupted) return;
  const all = cast.flatMap((scenario) => outcomes.get(scenario) ?? []);
  for (const line of ['', ...tableOf(all)]) say(line);
  if (values.json !== undefined) writeFileSync(values.json, `${documentOf(all)}\n`);
  process.exit(isGood(all) ? 0 : 1);
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
