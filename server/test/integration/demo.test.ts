// The demo as a stranger runs it: one command, to its end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

it('reads every page although an instance is killed at work, and ends by itself', async () => {
  const child = spawn(process.execPath, ['scripts/demo.js', '--once'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    output += data;
  });
  const [code] = await once(child, 'close');
  expect(code, output).toBe(0);
  expect(output).toMatch(/with SIGKILL while it read \S+/);
  expect(output).toMatch(/worked on again after the kill: \S+/);
  expect(output).toMatch(/lost 0 · duplicated 0/);
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  const [, succeeded, all] = /^demo: (\d+) of (\d+) requests succeeded$/.exec(last) ?? [];
  expect(Number(all)).toBeGreaterThanOrEqual(12);
  expect(succeeded).toBe(all);
}, 180_000);
