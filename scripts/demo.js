// `npm run demo`: from a fresh clone to texts read from page images, in one command. Installs what
// is missing, builds, and hands over to demo/main.ts, which starts Sluice, deploys the example and
// tells the story. `npm run demo -- --once` ends by itself.

import { join } from 'node:path';
import { root, runNode, sourceFlags } from './command.js';
import { ensureNode, ensurePackages } from './ensure.js';
import { runStage } from './stages.js';

ensureNode();
await ensurePackages();
await ensurePackages(join(root, 'examples', 'ocr'));
if (!(await runStage('build'))) process.exit(1);
process.exitCode = await runNode([
  ...sourceFlags,
  'scripts/demo/main.ts',
  ...process.argv.slice(2),
]);
