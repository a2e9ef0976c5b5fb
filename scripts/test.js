// `npm test`: everything that guards a change. Installs what is missing, builds, checks format,
// lint and types, runs all tests and closes with `N passed, N failed, N skipped`. Arguments go to
// vitest as filters (`npm test -- queue`). With CI=true a skipped test is a failure as well:
// a component that CI should have had was missing.

import { join } from 'node:path';
import { root } from './command.js';
import { ensureNode, ensurePackages, ensureSystemPrograms } from './ensure.js';
import { runStage } from './stages.js';
import { runVitest } from './vitest.js';

ensureNode();
await ensurePackages();
await ensurePackages(join(root, 'examples', 'ocr'));
await ensureSystemPrograms();

const failedStages = [];
for (const stage of ['build', 'lint', 'testTypes']) {
  if (!(await runStage(stage))) failedStages.push(stage);
}

const { passed, failed, skipped, skips, failures } = await runVitest(process.argv.slice(2));
for (const name of skips) console.log(`skipped: ${name}`);
for (const what of [...failedStages, ...failures]) console.log(`failed: ${what}`);

const allFailed = failed + failedStages.length;
if (allFailed > 0) process.exitCode = 1;
if (passed === 0) {
  console.error('No test ran.');
  process.exitCode = 1;
}
if (process.env.CI === 'true' && skipped > 0) {
  console.error(`CI runs every test, but ${skipped} were skipped.`);
  process.exitCode = 1;
}
console.log(`${passed} passed, ${allFailed} failed, ${skipped} skipped`);
