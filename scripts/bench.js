// `npm run bench`: builds, then hands all arguments to the benchmarks of bench/. With `--peers`,
// which measures other queues too, it also installs what they need. With `--counts` it counts work
// instead of measuring time.

import { runNode, sourceFlags } from './command.js';
import { ensureNode, ensurePackages } from './ensure.js';
import { ensurePeers } from './peers.js';
import { runStage } from './stages.js';

const args = process.argv.slice(2);
const withPeers = args.includes('--peers');
ensureNode();
await ensurePackages();
if (withPeers && !args.includes('--help')) await ensurePeers();
// The measured server is the built program, in a process of its own.
if (!(await runStage('build'))) process.exit(1);
const program = args.includes('--counts')
  ? 'server/test/counted/report.ts'
  : withPeers
    ? 'bench/peers/main.ts'
    : 'bench/main.ts';
process.exitCode = await runNode([...sourceFlags, program, ...args]);
