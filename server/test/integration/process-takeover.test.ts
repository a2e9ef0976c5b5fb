// What a real server does with its model processes when one of them, or itself, is killed at work.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { type CrashWorld, openCrashWorld, serviceName } from './crash-world.ts';

let world: CrashWorld | undefined;
afterEach(async () => {
  await world?.stop();
  await world?.close();
});

/** Works on each request for a while, whether or not anybody still waits for the answer, and writes
 * down what it does. */
const model = `
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
const [, , book, workMs] = process.argv;
let atOnce = 0;
const write = (what, body) =>
  appendFileSync(
    book,
    JSON.stringify({ what, body, atOnce, pid: process.pid, at: Date.now() }) + '\\n',
  );
write('up', '');
createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  atOnce += 1;
  write('begin', body);
  setTimeout(() => {
    write('end', body);
    atOnce -= 1;
    response.end('did ' + body);
  }, body.startsWith('long') ? 3000 : Number(workMs));
}).listen(Number(process.env.PORT), process.env.HOST);
`;

interface Line {
  readonly what: 'up' | 'begin' | 'end';
  readonly body: string;
  readonly atOnce: number;
  readonly pid: number;
  readonly at: number;
}

interface Stage {
  readonly world: CrashWorld;
  lines(): readonly Line[];
  until(fact: (lines: readonly Line[]) => boolean): Promise<void>;
  put(body: string): Promise<void>;
  /** Waits for so many results. */
  results(count: number): Promise<readonly string[]>;
}

async function stage(settings: { workMs: number; [field: string]: unknown }): Promise<Stage> {
  const { workMs, metadata, ...more } = settings;
  const opened = await openCrashWorld({
    metadata: { name: serviceName, type: 'Async', instance: 1, ...Object(metadata) },
    ...more,
  });
  world = opened;
  const home = opened.commands.home;
  const book = join(home, 'book');
  writeFileSync(book, '');
  writeFileSync(join(home, 'model.mjs'), model);
  const command = `${process.execPath} ${join(home, 'model.mjs')} ${book} ${workMs}`;
  const file = join(home, 'service.json');
  const definition = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...definition, containers: [{ command }] }));
  await opened.start();
  const lines = (): readonly Line[] =>
    readFileSync(book, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  const address = `${opened.url}/api/predict/${serviceName}`;
  return {
    world: opened,
    lines,
    until: async (fact) => {
      while (!fact(lines())) await turn();
    },
    put: async (body) => {
      const response = await fetch(address, { method: 'POST', body });
      expect(response.status).toBe(200);
    },
    results: async (count) => {
      const query = `_index_=0&_length_=100&_timeout_=100ms&_auto_delete_=false&_raw_=false`;
      for (;;) {
        const headers = { accept: 'application/json' };
        const response = await fetch(`${address}/sink?${query}`, { headers });
        const text = await response.text();
        const found: readonly { data: string }[] = text === '' ? [] : JSON.parse(text);
        if (found.length < count) continue;
        return found.map(({ data }) => Buffer.from(data, 'base64').toString());
      }
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => systemClock.after(10, resolve));
}

it('keeps a process over a crash and never gives it more than its window', async () => {
  const {
    world: server,
    lines,
    until,
    put,
    results,
  } = await stage({
    workMs: 4000,
    release_after: '4s',
    metadata: { 'rpc.worker_threads': 2 },
    health_check: { period_seconds: 1 },
  });
  for (const body of ['a', 'b', 'c']) await put(body);
  await until((all) => all.filter(({ what }) => what === 'begin').length === 2);
  await server.kill();
  await server.start();
  expect([...(await results(3))].sort()).toEqual(['did a', 'did b', 'did c']);
  expect(new Set(lines().map(({ pid }) => pid)).size).toBe(1);
  expect(lines().filter(({ what }) => what === 'up').length).toBe(1);
  expect(Math.max(...lines().map(({ atOnce }) => atOnce))).toBe(2);
  // Both that were cut were done again, once.
  expect(lines().filter(({ what }) => what === 'begin').length).toBe(5);
});

it('gives what a killed instance held to another one at once', async () => {
  const { lines, until, put } = await stage({
    workMs: 10,
    metadata: { instance: 2, 'rpc.worker_threads': 1 },
  });
  await until((all) => all.filter(({ what }) => what === 'up').length === 2);
  await put('long one');
  await until((all) => all.some(({ what }) => what === 'begin'));
  const first = lines().find(({ what }) => what === 'begin')?.pid ?? 0;
  const killedAt = Date.now();
  process.kill(first, 'SIGKILL');
  await until((all) => all.some(({ what, pid }) => what === 'begin' && pid !== first));
  const again = lines().find(({ what, pid }) => what === 'begin' && pid !== first);
  // A few tenths on a machine with nothing else to do.
  expect((again?.at ?? Number.NaN) - killedAt).toBeLessThan(3000);
});

it('goes on with what works of the launch before when it is killed while it updates', async () => {
  const { world: server, lines, until, put, results } = await stage({ workMs: 10 });
  await until((all) => all.some(({ what }) => what === 'up'));
  const file = join(server.commands.home, 'service.json');
  const definition = JSON.parse(readFileSync(file, 'utf8'));
  const stuck = { ...definition, containers: [{ command: 'sleep 600' }] };
  writeFileSync(file, JSON.stringify(stuck));
  for (const count of [1, 2]) {
    await server.kill();
    await server.start();
    await put('still there');
    expect(await results(count)).toContain('did still there');
  }
  expect(lines().filter(({ what }) => what === 'up').length).toBe(1);
});
