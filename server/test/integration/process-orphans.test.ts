// What a killed server leaves running is ended by the next one, and nothing else is.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { bootId, groupMembers, processFacts } from '../../src/instances/proc.ts';
import { type ProcessRecord, ProcessRecords } from '../../src/instances/process-records.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { modelScript, processWorld, wantedService } from './process-world.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-orphans-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a server with two instances, kills it without warning, and answers what it left. */
async function killedServer(folder: string, text = ''): Promise<readonly number[]> {
  const script = fileURLToPath(new URL('process-server.ts', import.meta.url));
  const options = ['--conditions=source', '--import', 'tsx', script, folder, text];
  const server = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(server.stdout), 'line');
  const { pids } = JSON.parse(String(line));
  await end(server);
  for (const pid of pids) {
    closers.push(async () => {
      for (const member of groupMembers(pid) ?? []) process.kill(member.pid, 'SIGKILL');
    });
  }
  return pids;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

const alive = (group: number): number => groupMembers(group)?.length ?? 0;

it('ends the processes of a killed server before it starts its own', async () => {
  const folder = await newFolder();
  const left = await killedServer(folder);
  expect(left.map(alive)).toEqual([1, 1]);
  const next = await processWorld({ folder });
  closers.push(() => next.close());
  await next.manager.apply(wantedService());
  await next.manager.start();
  expect(left.map(alive)).toEqual([0, 0]);
  await next.ready(1);
  const records = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  expect(records.length).toBe(1);
});

it('ends them as groups, also when the leader is gone or asks for more time', async () => {
  const folder = await newFolder();
  const text = `trap '' TERM; sleep 1000 & ${process.execPath} ${modelScript} & wait`;
  const left = await killedServer(folder, text);
  expect(left.map(alive)).toEqual([3, 3]);
  process.kill(left[0] ?? 0, 'SIGKILL');
  while (alive(left[0] ?? 0) > 2) await turn();
  const next = await processWorld({ folder });
  closers.push(() => next.close());
  await next.manager.start();
  expect(left.map(alive)).toEqual([0, 0]);
}, 40_000);

it('leaves a process alone that only has the number of one of ours', async () => {
  const folder = await newFolder();
  const stranger = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  closers.push(() => end(stranger));
  const pid = stranger.pid ?? 0;
  const records = new ProcessRecords(folder);
  const startTicks = processFacts(pid)?.startTicks ?? '';
  const facts = { format: 1, service: 'reader', pid, port: 1 } as const;
  const forged: ProcessRecord[] = [
    { ...facts, instance: 'reader-old', startTicks: `${Number(startTicks) - 1}`, bootId: bootId() },
    { ...facts, instance: 'reader-boot', startTicks, bootId: 'another run of the machine' },
  ];
  for (const record of forged) await records.save(record);
  await writeFile(join(folder, 'torn.json'), '{"format":1,');
  const next = await processWorld({ folder });
  closers.push(() => next.close());
  await next.manager.start();
  expect(alive(pid)).toBe(1);
  expect(await readdir(folder)).toEqual(['torn.json']);
});

function turn(): Promise<void> {
  return new Promise((resolve) => systemClock.after(5, resolve));
}
