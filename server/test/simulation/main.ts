// `npm run sim -- [--seeds N] [--seed S] [--steps N] [--trace]`: runs so many seeds, from S on or
// from a random one; with `--seed` alone that one. `--trace` prints everything that happens. Exit
// code 1 with the command that repeats what failed.

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type RunResult, run } from './run.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    steps: { type: 'string', default: '3000' },
    trace: { type: 'boolean', default: false },
    first: { type: 'boolean', default: false },
  },
});

const steps = Number(values.steps);
const first = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const count = Number(values.seeds ?? (values.seed === undefined ? 100 : 1));
let stepsDone = 0;
let violations = 0;
let current = first;

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

for (let nth = 0; nth < count; nth += 1) {
  current = first + nth;
  const result = await run({ seed: current, steps, print: values.trace });
  stepsDone += result.steps;
  if (result.violation !== undefined) {
    violations += 1;
    report(result);
    if (violations >= (values.first ? 1 : 5)) break;
  }
}
process.stdout.write(`sim: ${count} seeds, ${stepsDone} steps, ${violations} violations\n`);
process.exitCode = violations > 0 ? 1 : 0;
