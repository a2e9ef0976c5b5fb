// Brings a fresh clone to the point where it can build and test itself: the right Node, the
// packages of the lock file, and the Debian packages that some tests drive. Changes nothing when
// all is there; where it may not install something, it says in one line what to do.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hasProgram, root, run } from './command.js';

const nodeMinimum = [20, 19];

/** What tests need from the system: a program, its Debian packages, and what goes without it. */
const systemPrograms = [
  { program: 'chromium', debian: 'chromium', without: 'the browser tests are skipped' },
  { program: 'dockerd', debian: 'docker.io', without: 'no container is tested' },
  { program: 'docker-registry', debian: 'docker-registry', without: 'no container is tested' },
  { program: 'busybox', debian: 'busybox-static', without: 'no container is tested' },
  { program: 'ip', debian: 'iproute2', without: 'no container is tested' },
  { program: 'setpriv', debian: 'util-linux', without: 'no container is tested' },
  {
    program: 'apertium-apy',
    debian: 'apertium-apy apertium-eng-spa',
    without: 'the translation example is skipped',
  },
  {
    program: 'swift-object-server',
    debian: 'swift-proxy swift-account swift-container swift-object memcached',
    without: 'no object store is tested',
  },
  { program: 'mmdebstrap', debian: 'mmdebstrap', without: 'no image is made of packages' },
  { program: 'faketime', debian: 'faketime', without: 'no clock is set back in `npm run chaos`' },
];

/** Ends the process with one sentence when this Node is too old. */
export function ensureNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantMajor, wantMinor] = nodeMinimum;
  if (major > wantMajor || (major === wantMajor && minor >= wantMinor)) return;
  console.error(`Sluice needs Node ${nodeMinimum.join('.')} or newer; this is ${process.version}.`);
  process.exit(1);
}

/** Runs `npm ci` in `folder` when what is installed there is not what its lock file says. */
export async function ensurePackages(folder = root) {
  if (packagesAreFresh(folder)) return;
  console.log(`Installing packages in ${folder} (npm ci) ...`);
  const code = await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder });
  if (code !== 0) {
    console.error(`npm ci failed in ${folder} (exit code ${code}).`);
    process.exit(1);
  }
}

/** Installs missing Debian packages when it may, else says which ones are missing; all, or those
 * of the programs named. */
export async function ensureSystemPrograms(names = systemPrograms.map(({ program }) => program)) {
  const wanted = systemPrograms.filter(({ program }) => names.includes(program));
  const missing = wanted.filter(({ program }) => !hasProgram(program));
  if (missing.length === 0) return;
  const packages = missing.flatMap(({ debian }) => debian.split(' '));
  if (hasProgram('apt-get') && process.getuid?.() === 0) {
    console.log(`Installing Debian packages: ${packages.join(', ')} ...`);
    await aptInstall(packages);
  }
  for (const { program, debian, without } of missing) {
    if (hasProgram(program)) continue;
    console.error(`${program} is missing (apt-get install ${debian}): without it ${without}.`);
  }
}

/** Installs Debian packages; only root may. */
export async function aptInstall(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=300', '-qq'];
  await run('apt-get', [...wait, 'update'], { env });
  const install = [...wait, 'install', '-y', '--no-install-recommends', ...packages];
  await run('apt-get', install, { env });
}

// npm writes what it installed into node_modules/.package-lock.json, in the lock file's own form.
// Packages for other platforms are marked optional and stay away.
function packagesAreFresh(folder) {
  const installedFile = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const wanted = readLock(join(folder, 'package-lock.json'));
  const installed = readLock(installedFile);
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/') || entry.optional) return true;
    if (entry.link) return existsSync(join(folder, path));
    return installed[path]?.version === entry.version && existsSync(join(folder, path));
  });
}

function readLock(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  ensureNode();
  await ensurePackages();
  await ensureSystemPrograms();
}
