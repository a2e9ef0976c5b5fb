// `npm run chaos`: builds, then hands all arguments to the crash harness of chaos/.

import { runNode, sourceFlags } from './command.js';
import { ensureNode, ensurePackages, ensureSystemPrograms } from './ensure.js';
import { runStage } from './stages.js';

ensureNode();
await ensurePackages();
await ensureSystemPrograms(['faketime']);
// The server under test is the built program, as users start it.
if (!(await runStage('build'))) process.exit(1);
process.exitCode = await runNode([...sourceFlags, 'chaos/main.ts', ...process.argv.slice(2)]);
