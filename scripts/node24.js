// Runs the tests on Node 24, the newer of the two versions that Sluice is tested on. npm carries
// Node's own programs as packages (node-PLATFORM-ARCH), kept here in .cache/. Arguments go to
// `npm test`.

import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { root, run } from './command.js';

const version = '24.21.0';
const platform = process.platform === 'win32' ? 'win' : process.platform;
const packageName = `node-${platform}-${process.arch}`;
const prefix = join(root, '.cache', `node-${version}`);
const node = join(prefix, 'node_modules', packageName, 'bin', 'node');

if (!existsSync(node)) {
  console.log(`Installing Node ${version} into ${prefix} ...`);
  const install = ['install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund'];
  const code = await run('npm', [...install, '--prefix', prefix, `${packageName}@${version}`]);
  if (code !== 0) process.exit(1);
}
// The tests start further Node programs by name: they must meet this one first.
const path = [dirname(node), process.env.PATH].join(delimiter);
const env = { ...process.env, PATH: path };
process.exitCode = await run(node, ['scripts/test.js', ...process.argv.slice(2)], { env });
