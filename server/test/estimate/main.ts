// `npm run estimate-loads [-- SEEDS [NAME]]`: prints how good the estimates of starts are on every
// load, or on those with NAME in theirs; summed up in docs/estimates.md.

import { judge } from './judge.ts';
import { burstLoads, scalingLoads, slowerLoads, steadyLoads, urgentLoads } from './loads.ts';

const seeds = Array.from({ length: Number(process.argv[2] ?? 10) }, (_, seed) => seed + 1);
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

process.stdout.write('| load | asked | answered | held | late | early | length | thumb |\n');
process.stdout.write('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n');
const all = [...steadyLoads, ...urgentLoads, ...burstLoads, ...scalingLoads, ...slowerLoads];
for (const load of all.filter(({ name }) => name.includes(process.argv[3] ?? ''))) {
  const { name, asked, answered, held, late, early, length, thumbHeld } = judge(load, seeds);
  const cells = [name, asked, percent(answered), percent(held), percent(late), percent(early)];
  process.stdout.write(`| ${[...cells, length.toFixed(2), percent(thumbHeld)].join(' | ')} |\n`);
}
