// What a killed server leaves running is taken over by the next one, or ended, and nothing else is.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { bootId, groupMembers, processFacts } from '../../src/instances/proc.ts';
import { type ProcessRecord, ProcessRecords } from '../../src/instances/process-records.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  ask,
  modelScript,
  type ProcessWorld,
  processWorld,
  textOf,
  wantedService,
} from './process-world.ts';

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

/** The next server on the folder. */
async function nextServer(folder: string): Promise<ProcessWorld> {
  const next = await processWorld({ folder });
  closers.push(() => next.close());
  return next;
}

const recordsIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.json'));

it('goes on with the processes of a killed server that are still wanted', async () => {
  const folder = await newFolder();
  const left = await killedServer(folder);
  const next = await nextServer(folder);
  await next.manager.apply(wantedService({ count: 3 }));
  await next.manager.start();
  await next.ready(3);
  const pids = next.manager.status('reader').map(({ pid }) => pid ?? 0);
  expect(pids.slice(0, 2).sort()).toEqual([...left].sort());
  expect(left.map(alive)).toEqual([1, 1]);
  expect(next.manager.status('reader').map(({ restarts }) => restarts)).toEqual([0, 0, 0]);
  // They are fed, their ports are taken, their logs go on, and they can be stopped as any other.
  const [name = ''] = next.manager.status('reader').map((one) => one.name);
  const source = next.sources.get(name);
  if (source === undefined) throw new Error('not fed');
  expect(await ask(source, 'hello')).toBe('echo hello');
  await ask(source, 'write');
  const request = { tail: 1, follow: false, signal: undefined };
  const log = await textOf(await next.manager.logs('reader', name, request));
  expect(log).toBe(`${'x'.repeat(99)}\n`);
  await next.manager.stop({ deadlineMs: 0 });
  expect(left.map(alive)).toEqual([0, 0]);
  expect(await recordsIn(folder)).toEqual([]);
});

it('sees the end of a process that it took over, and starts it anew', async () => {
  const folder = await newFolder();
  const [first = 0, second = 0] = await killedServer(folder);
  const next = await nextServer(folder);
  await next.manager.apply(wantedService({ count: 2 }));
  await next.manager.start();
  await next.ready(2);
  const name = next.manager.status('reader').find(({ pid }) => pid === first)?.name ?? '';
  const source = next.sources.get(name);
  if (source === undefined) throw new Error('not fed');
  source.put({ payload: 'hold and tell' });
  const last = { tail: 1, follow: false, signal: undefined };
  const said = async () => textOf(await next.manager.logs('reader', name, last));
  await expect.poll(said).toBe('holds it\n');
  const killedAt = performance.now();
  process.kill(first, 'SIGKILL');
  await source.until(({ returns }) => returns.length === 1);
  expect(performance.now() - killedAt).toBeLessThan(3000);
  expect(source.returns[0]).toMatchObject({ counted: true });
  await next.until((all) => all.some(({ restarts }) => restarts === 1));
  await next.ready(2);
  const anew = next.manager.status('reader').find((one) => one.name === name);
  expect(anew?.last).toMatchObject({ code: undefined, reason: 'ended, its code is not known' });
  expect(anew?.pid).not.toBe(first);
  expect(alive(second)).toBe(1);
});

it('ends those of another launch, of another service, and those too many', async () => {
  const folder = await newFolder();
  const left = await killedServer(folder);
  const next = await nextServer(folder);
  await next.manager.apply(wantedService({ count: 2 }, { revision: 2, sourceRevision: 2 }));
  await next.manager.start();
  expect(left.map(alive)).toEqual([0, 0]);
  await next.ready(2);
  await next.close();

  const folder2 = await newFolder();
  const left2 = await killedServer(folder2);
  const other = await nextServer(folder2);
  await other.manager.start();
  expect(left2.map(alive)).toEqual([0, 0]);

  const folder3 = await newFolder();
  const left3 = await killedServer(folder3);
  const fewer = await nextServer(folder3);
  await fewer.manager.apply(wantedService({ count: 1 }, { revision: 2 }));
  await fewer.manager.start();
  await fewer.until((all) => all.length === 1 && all[0]?.state === 'Running');
  expect(left3.map(alive).sort()).toEqual([0, 1]);
});

it('ends those whose record says nothing of a launch, as old servers wrote it', async () => {
  const folder = await newFolder();
  const left = await killedServer(folder);
  for (const name of await recordsIn(folder)) {
    const { launch: _launch, ...old } = JSON.parse(await readFile(join(folder, name), 'utf8'));
    await writeFile(join(folder, name), JSON.stringify({ ...old, format: 1 }));
  }
  const next = await nextServer(folder);
  await next.manager.apply(wantedService());
  await next.manager.start();
  expect(left.map(alive)).toEqual([0, 0]);
  await next.ready(1);
});

it('ends them as groups, also when the leader is gone or asks for more time', async () => {
  const folder = await newFolder();
  const text = `trap '' TERM; sleep 1000 & ${process.execPath} ${modelScript} & wait`;
  const left = await killedServer(folder, text);
  expect(left.map(alive)).toEqual([3, 3]);
  process.kill(left[0] ?? 0, 'SIGKILL');
  while (alive(left[0] ?? 0) > 2) await turn();
  const next = await nextServer(folder);
  await next.manager.start();
  expect(left.map(alive)).toEqual([0, 0]);
});

it('leaves a process alone that only has the number of one of ours', async () => {
  const folder = await newFolder();
  const stranger = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  closers.push(() => end(stranger));
  const pid = stranger.pid ?? 0;
  const records = new ProcessRecords(folder);
  const startTicks = processFacts(pid)?.startTicks ?? '';
  const facts = { service: 'reader', pid, port: 1, launch: undefined };
  const forged: ProcessRecord[] = [
    { ...facts, instance: 'reader-old', startTicks: `${Number(startTicks) - 1}`, bootId: bootId() },
    { ...facts, instance: 'reader-boot', startTicks, bootId: 'another run of the machine' },
  ];
  for (const record of forged) await records.save(record);
  await writeFile(join(folder, 'torn.json'), '{"format":1,');
  const next = await nextServer(folder);
  await next.manager.start();
  expect(alive(pid)).toBe(1);
  expect(await readdir(folder)).toEqual(['torn.json']);
});

function turn(): Promise<void> {
  return new Promise((resolve) => systemClock.after(5, resolve));
}
