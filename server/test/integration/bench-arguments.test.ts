// What the benchmark beside other queues says to arguments that it does not know: one line, and
// nothing is started.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../tidy/sources.ts';

function bench(...args: readonly string[]): { readonly status: number | null; stderr: string } {
  const program = join(root, 'bench/peers/main.ts');
  const flags = ['--conditions=source', '--import', 'tsx', program];
  return spawnSync(process.execPath, [...flags, ...args], { cwd: root, encoding: 'utf8' });
}

it('names the peers and the scenarios that there are, and wants sensible numbers', () => {
  const peer = bench('--only', 'sluice,rabbit');
  expect(peer.status).toBe(1);
  expect(peer.stderr).toMatch(/^error: there is no peer rabbit; there are: sluice, bullmq-ev.*\n$/);

  const scenario = bench('--scenario', 'fly', '--only', 'postgres');
  expect(scenario.status).toBe(1);
  expect(scenario.stderr).toMatch(/^error: there is no scenario fly; there are: put, take.*\n$/);

  const rounds = bench('--rounds', 'none');
  expect(rounds.status).toBe(1);
  expect(rounds.stderr).toBe('error: --rounds is a number above 0\n');
});
