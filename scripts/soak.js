// `npm run soak`: the long proofs that do not fit into `npm test`, one program each in
// server/test/soak/, run one after another. Names choose some of them, everything from the first
// flag on is handed to each: `npm run soak -- pages --pairs 1000000`.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNode, sourceFlags } from './command.js';
import { ensureNode, ensurePackages } from './ensure.js';
import { runStage } from './stages.js';

const folder = join('server', 'test', 'soak');
const all = readdirSync(join(root, folder))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length));
if (process.argv.includes('--help')) {
  console.log('npm run soak -- [NAME...] [flags for each]: the long proofs, one after another.');
  console.log(`There are: ${all.join(', ')}.`);
  process.exit(0);
}

ensureNode();
await ensurePackages();
if (!(await runStage('build'))) process.exit(1);

const args = process.argv.slice(2);
const firstFlag = args.findIndex((arg) => arg.startsWith('-'));
const names = firstFlag === -1 ? args : args.slice(0, firstFlag);
const flags = firstFlag === -1 ? [] : args.slice(firstFlag);

const unknown = names.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`There is no soak named ${unknown.join(', ')}; there are: ${all.join(', ')}.`);
  process.exit(1);
}

const lines = [];
let failed = 0;
for (const name of names.length > 0 ? names : all) {
  console.log(`\n=== ${name} ===`);
  const startedAt = Date.now();
  const code = await runNode([...sourceFlags, join(folder, `${name}.ts`), ...flags]);
  if (code !== 0) failed += 1;
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  lines.push(`${code === 0 ? 'ok    ' : 'FAILED'}  ${name}  ${seconds} s`);
}
console.log(`\n${lines.join('\n')}`);
console.log(`${lines.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
