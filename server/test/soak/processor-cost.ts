// `npm run soak -- processor-cost`: what a call costs over the HTTP of a processor, beside the same
// model called in process. One call at a time, medians of rounds with spread; prints the tables of
// docs/processors.md. `--rounds N` (7), `--ms N` of each round and way (500). Fails where a call
// of one row costs more than it says there.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { load } from '../../src/processors/pmml/load.ts';
import { Served } from '../integration/processor-served.ts';

type Kind = 'pmml' | 'node' | 'python';

interface Way {
  readonly title: string;
  readonly cpuMs: () => number;
  readonly run: () => Promise<unknown>;
}

const { values } = parseArgs({
  options: { rounds: { type: 'string' }, ms: { type: 'string' } },
  strict: false,
});
const rounds = Number(values.rounds ?? 7);
const roundMs = Number(values.ms ?? 500);
const manyRows = 100;
/** Most that a call of one row may cost, in ms of processor time. */
const callMsMax: Readonly<Record<Kind, number>> = { pmml: 1, node: 1, python: 3 };

const example = join(import.meta.dirname, '../../../examples/credit-scoring');
const creditFile = join(example, 'credit.pmml');
const applicants: readonly object[] = JSON.parse(
  readFileSync(join(example, 'applicants.json'), 'utf8'),
);
const rowsOf = (count: number): Buffer =>
  Buffer.from(
    JSON.stringify(Array.from({ length: count }, (_, at) => applicants[at % applicants.length])),
  );
const [one, many] = [rowsOf(1), rowsOf(manyRows)];
const folder = mkdtempSync(join(tmpdir(), 'sluice-cost-'));
const modules = { node: join(folder, 'echo.mjs'), python: join(folder, 'echo.py') };
writeFileSync(modules.node, 'export const predict = (rows) => rows;\n');
writeFileSync(modules.python, 'def predict(rows, context):\n    return rows\n');

const calls: string[] = [];
const starts: string[] = [];
let failed = 0;
try {
  await measure('pmml', creditFile, await pmmlInProcess());
  await measure('node', modules.node, []);
  await measure('python', modules.python, []);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log('| processor | a call | CPU ms, median (least to most) | ms |');
console.log(['| --- | --- | --- | --- |', ...calls].join('\n'));
console.log('\n| processor | from start to ready | resident |');
console.log(['| --- | --- | --- |', ...starts].join('\n'));
process.exitCode = failed === 0 ? 0 : 1;

async function pmmlInProcess(): Promise<readonly Way[]> {
  const startedAt = performance.now();
  const model = await load({
    ...{ model: creditFile, code: undefined, entry: undefined, config: {} },
    ...{ batching: undefined, window: 1, clock: systemClock, log: silentLog },
  });
  starts.push(`| pmml in process | ${(performance.now() - startedAt).toFixed(0)} ms | |`);
  const call = {
    ...{ method: 'POST', path: '/', query: new URLSearchParams() },
    headers: { 'content-type': 'application/json' },
    signal: new AbortController().signal,
  };
  const way = (title: string, body: Buffer): Way => ({
    title: `in process, ${title}`,
    cpuMs: ownCpuMs,
    run: () => model.answer({ ...call, body }),
  });
  return [way('one row', one), way(`${manyRows} rows`, many)];
}

async function measure(kind: Kind, model: string, inProcess: readonly Way[]): Promise<void> {
  const served = await Served.start({ kind, model, config: {} });
  try {
    const cpuMs = (): number => served.cpuMs();
    const post = (body: Buffer) => () => served.post('/', body, 'application/json');
    const ways = [
      ...inProcess,
      { title: 'no model: GET /health', cpuMs, run: () => served.ask() },
      { title: 'one row', cpuMs, run: post(one) },
      { title: `${manyRows} rows`, cpuMs, run: post(many) },
    ];
    for (const { title, cpu, wall } of await compare(ways)) {
      calls.push(`| ${kind} | ${title} | ${spread(cpu)} | ${median(wall).toFixed(2)} |`);
      if (title !== 'one row' || median(cpu) <= callMsMax[kind]) continue;
      failed += 1;
      console.error(`${kind}: a call costs ${median(cpu).toFixed(2)} ms of processor time`);
    }
    const ready = `${(served.readyMs / 1000).toFixed(1)} s`;
    starts.push(`| ${kind} | ${ready} | ${served.residentMb()} MB |`);
  } finally {
    await served.stop();
  }
}

async function compare(ways: readonly Way[]) {
  const found = ways.map(({ title }) => ({ title, cpu: [] as number[], wall: [] as number[] }));
  // One round more than is counted: the first warms up.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [at, way] of ways.entries()) {
      const [startedAt, cpuBefore] = [performance.now(), way.cpuMs()];
      let done = 0;
      for (; performance.now() - startedAt < roundMs; done += 1) await way.run();
      if (round === 0) continue;
      found[at]?.cpu.push((way.cpuMs() - cpuBefore) / done);
      found[at]?.wall.push((performance.now() - startedAt) / done);
    }
  }
  return found;
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function spread(numbers: readonly number[]): string {
  const shown = [median(numbers), Math.min(...numbers), Math.max(...numbers)];
  const [middle, least, most] = shown.map((value) => value.toFixed(2));
  return `${middle} (${least} to ${most})`;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((first, second) => first - second);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
