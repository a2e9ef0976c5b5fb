// `npm run scaling`: from nothing to five instances and back to nothing, with the events that say
// why. Installs what is missing, builds, and hands over to scaling/main.ts.

import { runNode, sourceFlags } from './command.js';
import { ensureNode, ensurePackages } from './ensure.js';
import { runStage } from './stages.js';

ensureNode();
await ensurePackages();
if (!(await runStage('build'))) process.exit(1);
process.exitCode = await runNode([
  ...sourceFlags,
  'scripts/scaling/main.ts',
  ...process.argv.slice(2),
]);
