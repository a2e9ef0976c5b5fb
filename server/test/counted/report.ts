// `npm run bench -- --counts [--write]`: the work of the hot paths now, beside what it may be.

import { countWork, readBaseline, regressions, writeBaseline } from './count-work.ts';

const found = await countWork();
process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
if (process.argv.includes('--write')) {
  writeBaseline(found);
  process.stdout.write('written to server/test/counted/baseline.json\n');
} else {
  const worse = regressions(readBaseline(), found);
  for (const line of worse) process.stdout.write(`more work: ${line}\n`);
  if (worse.length > 0) process.exitCode = 1;
}
