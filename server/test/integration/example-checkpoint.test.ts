// examples/checkpoint for real: a job of ten steps in a process that is killed three times does
// less than one step anew each time.

import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

const example = fileURLToPath(new URL('../../../examples/checkpoint/', import.meta.url));
const steps = 10;
const partsOfStep = 5;
const killsAfter = [12, 27, 43];

let world: CommandWorld;
let server: RunningCommand;

beforeAll(async () => {
  world = openCommandWorld();
  const data = join(world.home, 'data');
  server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', data]);
  await server.says(/Ready/);
});

afterAll(async () => {
  server?.child.kill('SIGTERM');
  await server?.ended;
  await world?.close();
});

interface Part {
  readonly pid: number;
  readonly name: string;
}

function partsIn(ledger: string): readonly Part[] {
  if (!existsSync(ledger)) return [];
  const lines = readFileSync(ledger, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [pid = '', , name = ''] = line.split(' ');
    return { pid: Number(pid), name };
  });
}

/** Resolves with what was done once that are so many parts. */
async function partsUntil(ledger: string, count: number): Promise<readonly Part[]> {
  return new Promise((resolve) => {
    const look = (): void => {
      const parts = partsIn(ledger);
      if (parts.length < count) return;
      watcher.close();
      resolve(parts);
    };
    const watcher = watch(world.home, look);
    look();
  });
}

it('loses less than one step each time its instance is killed', async () => {
  const ledger = join(world.home, 'ledger');
  const declared = JSON.parse(readFileSync(join(example, 'service.json'), 'utf8'));
  const [container] = declared.containers;
  container.env = [
    { name: 'LEDGER', value: ledger },
    { name: 'PART_MS', value: '20' },
  ];
  container.work_dir = example;
  const file = join(world.home, 'service.json');
  writeFileSync(file, JSON.stringify(declared));
  const created = await world.run(['create', file]);
  expect(created.stdout).toMatch(/\[OK\] Service is running\n$/);
  const asked = world.run(['put', 'longjob', '--wait', '--data', JSON.stringify({ steps })]);
  for (const count of killsAfter) {
    const parts = await partsUntil(ledger, count);
    process.kill(parts.at(-1)?.pid ?? 0, 'SIGKILL');
  }
  const { stdout } = await asked;
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ sum: 55, attempt: killsAfter.length + 1 });
  const parts = partsIn(ledger);
  const pids = [...new Set(parts.map(({ pid }) => pid))];
  expect(pids).toHaveLength(killsAfter.length + 1);
  expect(new Set(parts.map(({ name }) => name)).size).toBe(steps * partsOfStep);
  const doneTwice = pids.slice(1).map((pid, at) => {
    const before = new Set(parts.filter((part) => pids.indexOf(part.pid) <= at).map(nameOf));
    return parts.filter((part) => part.pid === pid && before.has(part.name)).length;
  });
  // The last of them was begun and not finished: so it is less than the work of one step.
  for (const count of doneTwice) expect(count).toBeLessThanOrEqual(partsOfStep);
  expect(doneTwice.some((count) => count > 0)).toBe(true);
  expect(result.resumedAfter).toBeGreaterThanOrEqual(Math.floor(43 / partsOfStep) - 2);
});

const nameOf = ({ name }: Part): string => name;
