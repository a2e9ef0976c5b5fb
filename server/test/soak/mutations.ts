// Every mistake that is planted into the product one at a time: the simulator has to notice each.

import { mutations } from '../simulation/mutations.ts';
import { noticed, seedsMax, simulate } from '../simulation/planted.ts';

let missed = 0;
for (const mutation of mutations) {
  const { code, output } = await simulate(mutation, 1);
  const isNoticed = code === 1 && noticed.test(output);
  if (!isNoticed) missed += 1;
  console.log(`${isNoticed ? 'noticed' : 'MISSED '}  ${mutation.name}`);
}
const count = mutations.length;
console.log(`mutations: ${count - missed} of ${count} noticed within ${seedsMax} seeds each`);
process.exitCode = missed === 0 ? 0 : 1;
