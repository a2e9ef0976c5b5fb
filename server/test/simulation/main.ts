// `npm run sim -- [--seeds N] [--seed S] [--minutes M] [--steps N] [--trace]`: runs so many seeds,
// or for so long, from S on or from a random one; with `--seed` alone that one. `--trace` prints
// everything that happens, `--first` stops at the first violation. Exit code 1 with the command
// that repeats what failed.

import { randomInt } from 'node:crypto';
import { readFlags } from '../../../scripts/usage.ts';
import { type RunResult, run } from './run.ts';

const usage = `
npm run sim -- [flags]: plays random histories with faults and judges every step.
  --seeds N    so many histories
  --seed S     the first of them; alone: this one
  --minutes M  as many as fit
  --steps N    steps of each (1500)
  --trace      prints what happens
  --first      ends at the first violation
`;

const { values } = readFlags(usage, {
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    steps: { type: 'string', default: '1500' },
    trace: { type: 'boolean', default: false },
    first: { type: 'boolean', default: false },
  },
});

const steps = Number(values.steps);
const first = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const forMs = values.minutes === undefined ? 0 : Number(values.minutes) * 60_000;
const count = Number(values.seeds ?? (forMs > 0 ? Number.MAX_SAFE_INTEGER : onlySeeds()));
const until = performance.now() + (forMs > 0 ? forMs : Number.POSITIVE_INFINITY);
let seedsDone = 0;
let stepsDone = 0;
let violations = 0;
let current = first;

/** One seed that was named, else some. */
function onlySeeds(): number {
  return values.seed === undefined ? 100 : 1;
}

function replay(seed: number): string {
  return `npm run sim -- --seed ${seed} --steps ${steps}`;
}

function report(result: RunResult): void {
  const lines = result.trace.tail(40).map((line) => `  ${line}`);
  process.stdout.write(`${lines.join('\n')}\n`);
  process.stdout.write(`seed ${result.seed}: ${result.violation}\n`);
  process.stdout.write(`replay: ${replay(result.seed)}\n`);
}

process.on('uncaughtException', (error) => {
  process.stdout.write(`seed ${current}: ${error.stack}\nreplay: ${replay(current)}\n`);
  process.exit(1);
});

const told = values.trace ? (line: string) => void process.stdout.write(`${line}\n`) : undefined;
while (seedsDone < count && performance.now() < until) {
  current = first + seedsDone;
  const result = await run({ seed: current, steps, ...(told && { told }) });
  seedsDone += 1;
  stepsDone += result.steps;
  if (result.violation !== undefined) {
    violations += 1;
    report(result);
    if (violations >= (values.first ? 1 : 5)) break;
  }
}
process.stdout.write(`sim: ${seedsDone} seeds, ${stepsDone} steps, ${violations} violations\n`);
process.exitCode = violations > 0 ? 1 : 0;
