// `npm run autoscale-loads`: prints the table of docs/autoscaling.md.

import { readFlags } from '../../../scripts/usage.ts';
import { contenders } from './compare.ts';
import { loads } from './loads.ts';

const usage = `
npm run autoscale-loads -- [flags]: plays synthetic loads with Sluice's autoscaler and with the
formula of Kubernetes, in virtual time, and prints a table; always the same one.
  --load NAME  that load only
  --counts     prints each change of the number of instances, too
`;

const { values } = readFlags(usage, {
  options: { load: { type: 'string' }, counts: { type: 'boolean', default: false } },
});

const head = ['load', 'scaler', 'wait p50', 'p95', 'longest', 'late', 'instance-s', 'of it idle'];
const lines = [[...head, 'most', 'changes', 'turns']];
for (const load of loads) {
  if (values.load !== undefined && values.load !== load.name) continue;
  for (const { name, run } of contenders) {
    const one = run(load);
    lines.push([
      load.name,
      name,
      `${one.waitP50.toFixed(1)} s`,
      `${one.waitP95.toFixed(1)} s`,
      `${one.waitMax.toFixed(0)} s`,
      `${(one.late * 100).toFixed(1)} %`,
      one.spent.toFixed(0),
      one.wasted.toFixed(0),
      String(one.countMax),
      String(one.changes),
      String(one.turns),
    ]);
    if (!values.counts) continue;
    const counts = one.counts.map(({ atS, count }) => `${atS.toFixed(0)} s: ${count}`);
    process.stdout.write(`${load.name}, ${name}: ${counts.join(', ')}\n`);
  }
}
const rule = lines[0]?.map((_, at) => (at < 2 ? '---' : '---:')) ?? [];
for (const line of [lines[0] ?? [], rule, ...lines.slice(1)]) {
  process.stdout.write(`| ${line.join(' | ')} |\n`);
}
