// The command as a shell finds it: a link somewhere in the path, which becomes Node.js with room
// for what a message leaves behind, in the same process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const server = new URL('../../', import.meta.url);
const program = fileURLToPath(new URL('bin/sluice.js', server));
const tellsItself =
  'console.error(process.pid, process.execArgv.join(" "), JSON.stringify(process.argv.slice(2)))';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice launcher-'));
  symlinkSync(program, join(folder, 'sluice'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['by its path', (): string => join(folder, 'sluice')],
  ['by its name', (): string => 'sluice'],
])('becomes Node.js when it is started %s', async (_how, command) => {
  const PATH = [folder, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter);
  const hook = `data:text/javascript,${encodeURIComponent(tellsItself)}`;
  const child = spawn(command(), ['--version', 'a  b', '$x'], {
    env: { PATH, NODE_OPTIONS: `--import ${hook}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  const { version } = JSON.parse(readFileSync(new URL('package.json', server), 'utf8'));
  expect(stdout).toBe(`${version}\n`);
  expect(stderr).toBe(`${child.pid} --max-semi-space-size=64 ["--version","a  b","$x"]\n`);
});
