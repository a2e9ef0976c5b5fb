// `npm run bench`: builds, then hands all arguments to the benchmarks of bench/.

import { runNode, sourceFlags } from './command.js';
import { ensureNode, ensurePackages } from './ensure.js';
import { runStage } from './stages.js';

ensureNode();
await ensurePackages();
// The measured server is the built program, in a process of its own.
if (!(await runStage('build'))) process.exit(1);
process.exitCode = await runNode([...sourceFlags, 'bench/main.ts', ...process.argv.slice(2)]);
