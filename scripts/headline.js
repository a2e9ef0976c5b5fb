// `npm run headline`: long and uneven calls under load, called directly with a time-out and through
// Sluice. Installs what is missing, builds, and hands over to headline/main.ts.

import { runNode, sourceFlags } from './command.js';
import { ensureNode, ensurePackages } from './ensure.js';
import { runStage } from './stages.js';

ensureNode();
await ensurePackages();
if (!(await runStage('build'))) process.exit(1);
process.exitCode = await runNode([
  ...sourceFlags,
  'scripts/headline/main.ts',
  ...process.argv.slice(2),
]);
