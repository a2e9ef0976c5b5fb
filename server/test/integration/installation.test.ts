// The command as users get it: from the root of a built clone, and installed globally from the
// server's folder.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
let prefix: string;

beforeAll(async () => {
  prefix = await mkdtemp(join(tmpdir(), 'sluice-prefix-'));
});

afterAll(() => rm(prefix, { recursive: true, force: true }));

it('answers to npx from the root of a built clone', async () => {
  const { stdout } = await run('npx', ['--no-install', 'sluice', '--version'], { cwd: root });
  expect(stdout.trim()).toBe(await version());
});

it('installs globally from the folder of the server', async () => {
  await run('npm', ['install', '-g', '--prefix', prefix, './server'], { cwd: root });
  const { stdout } = await run(join(prefix, 'bin', 'sluice'), ['--version'], { cwd: tmpdir() });
  expect(stdout.trim()).toBe(await version());
});

async function version(): Promise<string> {
  const manifest = JSON.parse(await readFile(join(root, 'server', 'package.json'), 'utf8'));
  return manifest.version;
}
