// `npm run check`: the quick guard before each commit, under a minute. Format and lint, types, the
// tidy test and the unit tests. Writes nothing but build output; `npm run fix` repairs.

import { ensureNode, ensurePackages } from './ensure.js';
import { runStage } from './stages.js';
import { runVitest } from './vitest.js';

ensureNode();
await ensurePackages();

let failedStages = 0;
for (const stage of ['lint', 'build', 'testTypes']) {
  if (!(await runStage(stage))) failedStages += 1;
}
const totals = await runVitest(['--project=tidy', '--project=unit']);
const failures = totals.failed + failedStages;
if (failures > 0) process.exitCode = 1;
console.log(`${totals.passed} passed, ${failures} failed, ${totals.skipped} skipped`);
