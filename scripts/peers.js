// Installs what `npm run bench -- --peers` measures beside Sluice: clients from npm into
// bench/peers/node_modules, servers from Debian's packages. Nothing of it is a dependency of
// Sluice, and nothing of it is started here. What cannot be installed gets a line; the benchmark
// goes on without it and says so.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram, root, run } from './command.js';
import { aptInstall, ensurePackages } from './ensure.js';

const clients = join(root, 'bench', 'peers');
const later = join(root, '.cache', 'peers');
/** Debian 12 has a NATS that cannot flush before it acknowledges. */
const laterSuite = 'trixie';

/** Installs what is missing and may be installed. */
export async function ensurePeers() {
  await ensurePackages(clients);
  const missing = [];
  if (!hasProgram('redis-server')) missing.push('redis-server');
  if (!hasPostgres()) missing.push('postgresql');
  const mayInstall = hasProgram('apt-get') && process.getuid?.() === 0;
  if (missing.length > 0 && mayInstall) {
    console.log(`Installing Debian packages: ${missing.join(', ')} ...`);
    await withoutServices('/usr/sbin/policy-rc.d', () => aptInstall(missing));
  } else if (missing.length > 0) {
    console.error(`Missing (apt-get install ${missing.join(' ')}): what needs it is not run.`);
  }
  if (!existsSync(join(later, 'nats')) && !(await unpackNats())) {
    console.error(`No nats-server of Debian's ${laterSuite} could be had: JetStream may not run.`);
  }
}

function hasPostgres() {
  return existsSync('/usr/lib/postgresql') || hasProgram('initdb');
}

/**
 * Debian's packages start their services when they are installed, unless this file says no. Runs
 * `work` with the file in place and leaves a file that was there before.
 */
export async function withoutServices(policy, work) {
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await work();
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

/** Fetches the package of a later suite with lists of its own and unpacks it without installing. */
async function unpackNats() {
  const sources = '/etc/apt/sources.list.d/debian.sources';
  if (!hasProgram('apt-get') || !hasProgram('dpkg') || !existsSync(sources)) return false;
  console.log(`Fetching nats-server of Debian's ${laterSuite} into .cache/peers ...`);
  for (const folder of ['parts', 'lists/partial', 'cache/archives/partial', 'download']) {
    mkdirSync(join(later, folder), { recursive: true });
  }
  const [stanza = ''] = readFileSync(sources, 'utf8').split('\n\n');
  const text = stanza.replace(/^Suites:.*$/m, `Suites: ${laterSuite}`);
  writeFileSync(join(later, 'parts', 'later.sources'), `${text.trimEnd()}\n`);
  const options = [
    'Dir::Etc::sourcelist=/dev/null',
    `Dir::Etc::sourceparts=${join(later, 'parts')}`,
    `Dir::State::lists=${join(later, 'lists')}`,
    `Dir::Cache=${join(later, 'cache')}`,
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User=root'] : []),
  ].flatMap((option) => ['-o', option]);
  const cwd = join(later, 'download');
  if ((await run('apt-get', [...options, '-qq', 'update'])) !== 0) return false;
  if ((await run('apt-get', [...options, '-qq', 'download', 'nats-server'], { cwd })) !== 0) {
    return false;
  }
  const file = readdirSync(cwd).find((name) => name.endsWith('.deb'));
  if (file === undefined) return false;
  return (await run('dpkg', ['-x', join(cwd, file), join(later, 'nats')])) === 0;
}
