// `npm run bench`: measures the built server in a process of its own, durable, with messages of
// 1 KB, and prints a table. What each scenario does stands in its own file of bench/scenarios/.
//
//   npm run bench -- [--only SCENARIO] [--rounds N] [--seconds N] [--quick] [--json FILE]
//                    [--folder DIR] [--profiles DIR]
//
// With `--peers` it is bench/peers/main.ts that runs, with `--counts`
// server/test/counted/report.ts.

import { writeFileSync } from 'node:fs';
import { readFlags } from '../scripts/usage.ts';
import type { Figure } from './figures.ts';
import { documentOf, headline, tableOf } from './report.ts';
import { scenarios } from './scenarios/all.ts';
import { openWorld, type Scale } from './world.ts';

const usage = `
npm run bench -- [flags]: measures the built server.
  --only NAME      only this scenario, may be repeated: http-put, http-submit, stream-put,
                   cycles, million
  --rounds N       how often each is measured
  --seconds N      how long a round takes
  --quick          few and short rounds
  --json FILE      the figures as JSON
  --folder DIR     where the data lie while it runs
  --profiles DIR   also writes a processor profile of each process there
  --peers          beside other queues; see npm run bench -- --peers --help
  --counts         the work of a message, counted and not timed; with --write it may be so much
                   from now on
`;

const { values } = readFlags(usage, {
  options: {
    only: { type: 'string', multiple: true, default: Object.keys(scenarios) },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    folder: { type: 'string' },
    profiles: { type: 'string' },
  },
});

function scaleOf(): Scale {
  const usual = values.quick
    ? { rounds: 2, seconds: 2, waiting: 50_000 }
    : { rounds: 5, seconds: 5, waiting: 1_000_000 };
  const rounds = Number(values.rounds ?? usual.rounds);
  const seconds = Number(values.seconds ?? usual.seconds);
  if (!(rounds >= 1 && seconds > 0)) throw new Error('--rounds and --seconds are numbers above 0');
  return { ...usual, rounds: Math.ceil(rounds), seconds };
}

async function main(): Promise<void> {
  const unknown = values.only.filter((name) => scenarios[name] === undefined);
  if (unknown.length > 0) {
    const known = Object.keys(scenarios).join(', ');
    throw new Error(`there is no scenario ${unknown.join(', ')}; there are: ${known}`);
  }
  const scale = scaleOf();
  const world = openWorld({ scale, folder: values.folder, profiles: values.profiles });
  const interrupted = (): void => {
    void world.close().finally(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, interrupted);
  world.say(headline(scale));
  try {
    const figures: Figure[] = [];
    for (const name of values.only) {
      world.say(`\n${name}`);
      const found = (await scenarios[name]?.(world)) ?? [];
      for (const line of tableOf(found)) world.say(line);
      figures.push(...found);
    }
    if (values.json !== undefined) {
      writeFileSync(values.json, `${documentOf(figures, scale)}\n`);
      world.say(`\nwritten to ${values.json}`);
    }
  } finally {
    await world.close();
  }
}

await main();
