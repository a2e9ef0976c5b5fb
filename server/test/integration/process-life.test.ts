// Model servers as real processes: started with a clean set of descriptors and a clean environment,
// fed, restarted, and ended as a whole.

import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, describe, expect, it } from 'vitest';
import { groupMembers } from '../../src/instances/proc.ts';
import { startGated } from '../../src/instances/shell.ts';
import {
  ask,
  type ProcessWorld,
  portCheck,
  processSource,
  processWorld,
  textOf,
  type WorldOptions,
  wantedService,
} from './process-world.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function world(options: WorldOptions = {}): Promise<ProcessWorld> {
  const made = await processWorld(options);
  closers.push(() => made.close());
  await made.manager.start();
  return made;
}

describe('a process', () => {
  it('is started, gets work at its own port, and ends with the server', async () => {
    const { manager, ready, only, folder } = await world();
    await manager.apply(wantedService());
    await ready(1);
    const [status] = manager.status('reader');
    expect(status).toMatchObject({ kind: 'process', restarts: 0, window: 1 });
    expect(await ask(only(), 'hello')).toBe('echo hello');
    const pid = status?.pid ?? 0;
    const record: unknown = JSON.parse(await readFile(`${folder}/${status?.name}.json`, 'utf8'));
    expect(record).toMatchObject({
      pid,
      service: 'reader',
      port: Number(new URL(status?.url ?? '').port),
    });
    await manager.stop({ deadlineMs: 1000 });
    expect(groupMembers(pid)).toEqual([]);
    expect((await readdir(folder)).filter((name) => name.endsWith('.json'))).toEqual([]);
  });

  it('inherits no descriptor above 2, whatever the server has open', async () => {
    // Node closes its own descriptors in children; the database's, which it knows nothing of, it
    // does not. More than nine, so that numbers of two digits are among them.
    const place = await mkdtemp(join(tmpdir(), 'sluice-database-'));
    closers.push(() => rm(place, { recursive: true }));
    for (let number = 0; number < 5; number += 1) {
      const database = open({ path: join(place, `${number}.mdb`) });
      closers.push(() => database.close());
    }
    expect((await readdir('/proc/self/fd')).length).toBeGreaterThan(12);
    const { manager, ready, folder } = await world();
    const text = 'ls -l /proc/$$/fd > fds; sleep 1000';
    const healthCheck = {
      ...portCheck,
      probe: { kind: 'exec', argv: ['test', '-s', 'fds'] } as const,
    };
    const source = processSource({ form: 'script', text, workDir: folder });
    await manager.apply(wantedService({ source, healthCheck }));
    await ready(1);
    const listed = await readFile(`${folder}/fds`, 'utf8');
    const numbers = [...listed.matchAll(/ (\d+) -> (.*)/g)].map(([, number, to]) => [number, to]);
    expect(numbers).toEqual([
      ['0', '/dev/null'],
      ['1', expect.stringMatching(/\.log$/)],
      ['2', expect.stringMatching(/\.log$/)],
    ]);
  });

  it('sees allow-listed variables and its own, none of the rest', async () => {
    const environment = { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', SLUICE_TOKEN: 'secret' };
    const { manager, ready, only } = await world({ environment });
    await manager.apply(wantedService({ source: processSource({ env: { MODEL: 'large' } }) }));
    await ready(1);
    const seen = JSON.parse(await ask(only(), 'environment'));
    expect(seen).toMatchObject({ LANG: 'C.UTF-8', MODEL: 'large', HOST: '127.0.0.1' });
    expect(Object.keys(seen)).not.toContain('SLUICE_TOKEN');
    expect(seen.SLUICE_INSTANCE).toMatch(/^reader-/);
  });

  it('says what is wrong when it cannot be started', async () => {
    const { manager, until } = await world();
    await manager.apply(wantedService({ source: processSource({ workDir: '/no/such/folder' }) }));
    await until(([one]) => one?.state === 'Pending');
    expect(manager.report('reader')?.message).toContain('/no/such/folder does not exist');
  });

  it('is ended with everything it has started', async () => {
    const { manager, ready } = await world();
    await manager.apply(wantedService({ source: processSource({ env: { CHILD: '1' } }) }));
    await ready(1);
    const pid = manager.status('reader')[0]?.pid ?? 0;
    expect(groupMembers(pid)?.length).toBe(2);
    await manager.remove('reader');
    expect(groupMembers(pid)).toEqual([]);
    expect(manager.report('reader')).toBeUndefined();
  });

  it('is killed when it does not end in its grace time', async () => {
    const { manager, ready } = await world();
    const source = processSource({ env: { IGNORE_TERM: '1' } });
    await manager.apply(wantedService({ source, terminationGraceMs: 1000 }));
    await ready(1);
    const { pid = 0, name = '' } = manager.status('reader')[0] ?? {};
    const log = await manager.logs('reader', name, { tail: 9, follow: true, signal: undefined });
    await manager.remove('reader');
    expect(groupMembers(pid)).toEqual([]);
    // Following ends by itself when nothing more can come.
    expect(await textOf(log)).toContain('not yet');
  });
});

describe('a stop', () => {
  it('gives open calls back uncounted after its deadline', async () => {
    const { manager, ready, only, until } = await world();
    await manager.apply(wantedService({ window: 2 }));
    await ready(1);
    only().put({ payload: 'hold' }, { payload: 'hold' });
    await until(([one]) => one?.feed?.running.length === 2);
    expect(manager.holding().length).toBe(1);
    await manager.stop({ deadlineMs: 50 });
    expect(only().returns.map(({ counted, code }) => [counted, code])).toEqual([
      [false, 'Shutdown'],
      [false, 'Shutdown'],
    ]);
  });

  it('is cut short by a second one, whatever the process thinks of it', async () => {
    const { manager, ready, only, until } = await world();
    const source = processSource({ env: { IGNORE_TERM: '1', CHILD: '1' } });
    await manager.apply(wantedService({ source, terminationGraceMs: 600_000 }));
    await ready(1);
    const pid = manager.status('reader')[0]?.pid ?? 0;
    only().put({ payload: 'hold' });
    await until(([one]) => one?.feed?.running.length === 1);
    const stopped = manager.stop({ deadlineMs: 600_000 });
    manager.kill();
    await stopped;
    expect(groupMembers(pid)).toEqual([]);
    expect(only().returns.length).toBe(1);
  });
});

it('a process whose server dies before it is recorded never begins', async () => {
  const { folder } = await world();
  const output = openSync(join(folder, 'output'), 'a');
  const env = { PATH: process.env.PATH ?? '' };
  const { child } = startGated('echo begun', { env, workDir: undefined, output });
  const ended = once(child, 'exit');
  child.stdio[3]?.destroy();
  expect(await ended).toEqual([125, null]);
  closeSync(output);
  expect(await readFile(join(folder, 'output'), 'utf8')).toBe('');
});

describe('a crash', () => {
  it('counts for the request it held, and is followed by a new start', async () => {
    const { manager, ready, only, until } = await world();
    await manager.apply(wantedService());
    await ready(1);
    const source = only();
    source.put({ payload: 'crash' });
    await source.until(({ returns }) => returns.length === 1);
    expect(source.returns[0]).toMatchObject({ counted: true, code: 'InstanceDied' });
    expect(source.returns[0]?.reason).toContain('SIGKILL');
    await until(([one]) => one?.restarts === 1 && one.state === 'Running');
    expect(source.closes).toEqual(['dead']);
    expect(manager.status('reader')[0]?.last).toMatchObject({ signal: 'SIGKILL' });
    expect(await ask(source, 'again')).toBe('echo again');
  });

  it('counts also when the connection that it cut was a reused one', async () => {
    const { manager, ready, only } = await world();
    await manager.apply(wantedService());
    await ready(1);
    await ask(only(), 'first');
    only().put({ payload: 'exit' });
    await only().until(({ returns }) => returns.length === 1);
    expect(only().returns[0]).toMatchObject({ counted: true });
    expect(only().returns[0]?.reason).toContain('code 3');
  });

  it('in a row is shown with code, count and last words', async () => {
    const { manager, until } = await world();
    await manager.apply(wantedService({ source: processSource({ env: { CRASH_CODE: '7' } }) }));
    await until(([one]) => one?.state === 'CrashLoop' && one.reason.includes('2 times'));
    const [status] = manager.status('reader');
    expect(status?.reason).toMatch(
      /ended with code 7 \(2 times in a row\), starts again.*about to fail/,
    );
    expect(status?.nextStartAt).toBeGreaterThan(0);
    expect(manager.report('reader')).toMatchObject({ running: 0, failed: 1 });
  });

  it('leaves nothing of its group behind', async () => {
    const { manager, ready, until } = await world();
    await manager.apply(wantedService({ source: processSource({ env: { CHILD: '1' } }) }));
    await ready(1);
    const pid = manager.status('reader')[0]?.pid ?? 0;
    process.kill(pid, 'SIGKILL');
    await until(([one]) => one?.state === 'CrashLoop' && one.nextStartAt > 0);
    expect(groupMembers(pid)).toEqual([]);
  });
});

describe('a health check', () => {
  it('decides by the answer of a path when work may come', async () => {
    const { manager, until } = await world();
    const probe = { kind: 'http', path: '/health' } as const;
    const source = processSource({ env: { HEALTH: '503' } });
    await manager.apply(wantedService({ source, healthCheck: { ...portCheck, probe } }));
    await until(([one]) => one?.reason.includes('GET /health answered 503') === true);
    expect(manager.status('reader')[0]?.state).toBe('Starting');
  });

  it('ends an idle instance that keeps failing, after its time is over', async () => {
    const { manager, until } = await world();
    const probe = { kind: 'http', path: '/health' } as const;
    const healthCheck = { ...portCheck, probe, initialDelayMs: 0, periodMs: 50 };
    const source = processSource({ env: { HEALTH: '500' } });
    await manager.apply(wantedService({ source, healthCheck }));
    await until(([one]) => one?.last !== undefined);
    expect(manager.status('reader')[0]?.last?.reason).toContain('health check failed');
  });
});

describe('ports and copies', () => {
  it('gives every copy a port of its own', async () => {
    const { manager, ready } = await world();
    await manager.apply(wantedService({ count: 3 }));
    await ready(3);
    expect(new Set(manager.status('reader').map(({ url }) => url)).size).toBe(3);
  });

  it('runs one copy on a fixed port and says why there are no more', async () => {
    const { manager, ready } = await world();
    const port = await freePort();
    await manager.apply(wantedService({ source: processSource({ port }), count: 2 }));
    await ready(1);
    const [one, other] = manager.status('reader');
    expect(one?.url).toBe(`http://127.0.0.1:${port}`);
    expect(other).toMatchObject({ state: 'Pending', pid: undefined });
    expect(other?.reason).toContain(`port ${port} can be held by one process only`);
  });

  it('says when a fixed port is taken, and starts when it is free', async () => {
    const { manager, ready, until } = await world();
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await manager.apply(wantedService({ source: processSource({ port }) }));
    await until(([one]) => one?.reason.includes(`port ${port} is already in use`) === true);
    await new Promise((resolve) => server.close(resolve));
    await ready(1);
  });
});

describe('scaling and updates', () => {
  it('wait for work under way', async () => {
    const { manager, ready, only, until } = await world();
    await manager.apply(wantedService({ window: 2 }));
    await ready(1);
    only().put({ payload: 'hold' });
    await until(([one]) => one?.feed?.running.length === 1);
    await manager.apply(wantedService({ count: 0 }, { revision: 2 }));
    await until(([one]) => one?.state === 'Draining');
    const { url = '' } = manager.status('reader')[0] ?? {};
    // It may end before this answer is out: its work is done.
    await fetch(url, { method: 'POST', body: 'release' }).catch(() => undefined);
    await until((all) => all.length === 0);
    expect(only().completions.length).toBe(1);
    expect(only().closes).toEqual(['drain']);
  });

  it('replace copies one by one, a new one first', async () => {
    const { manager, ready, until } = await world();
    await manager.apply(wantedService({ count: 2 }));
    await ready(2);
    const before = manager.status('reader').map(({ name }) => name);
    const source = processSource({ env: { MODEL: 'v2' } });
    const changed = wantedService({ count: 2, source }, { revision: 2, sourceRevision: 2 });
    let least = 2;
    await manager.apply(changed);
    await until((all) => {
      least = Math.min(least, all.filter(({ state }) => state === 'Running').length);
      const fresh = all.filter(({ name }) => !before.includes(name));
      return (
        all.length === 2 && fresh.every(({ state }) => state === 'Running') && fresh.length === 2
      );
    });
    expect(least).toBe(2);
    expect(manager.report('reader')).toMatchObject({ revision: 2, running: 2, message: '' });
  });

  it('change the window of a running copy without a restart', async () => {
    const { manager, ready, only, until } = await world();
    await manager.apply(wantedService());
    await ready(1);
    const pid = manager.status('reader')[0]?.pid;
    await manager.apply(wantedService({ window: 3 }, { revision: 2 }));
    await only().until(({ watches }) => watches.at(-1)?.window === 3);
    await until(([one]) => one?.revision === 2);
    expect(manager.status('reader')[0]).toMatchObject({ pid, window: 3 });
  });
});

describe('the log', () => {
  it('holds what the process wrote, from the end and as it comes', async () => {
    const { manager, ready, only } = await world();
    await manager.apply(wantedService());
    await ready(1);
    const { name = '' } = manager.status('reader')[0] ?? {};
    const stop = new AbortController();
    const request = { tail: 1, follow: true, signal: stop.signal };
    const log = await manager.logs('reader', name, request);
    let text = '';
    for await (const piece of log) {
      text += Buffer.from(piece).toString();
      if (text.split('\n').length === 2) await ask(only(), 'write');
      if (text.split('\n').length === 52) stop.abort();
    }
    expect(text).toMatch(/^pid \d+ listens/);
    const last = { tail: 2, follow: false, signal: undefined };
    expect(await textOf(await manager.logs('reader', name, last))).toBe(
      `${'x'.repeat(99)}\n`.repeat(2),
    );
  });

  it('is cut in place while the process goes on writing', async () => {
    const { manager, ready, only, folder } = await world({ logBytesMax: 20_000 });
    await manager.apply(wantedService());
    await ready(1);
    const { name = '' } = manager.status('reader')[0] ?? {};
    for (let round = 0; round < 5; round += 1) await ask(only(), 'write');
    const size = async (file: string): Promise<number> =>
      (await readFile(`${folder}/${file}`).catch(() => Buffer.alloc(0))).length;
    while ((await size(`${name}.log.1`)) === 0) await ask(only(), 'hello');
    await ask(only(), 'write');
    expect(await size(`${name}.log.1`)).toBe(20_000);
    expect(await size(`${name}.log`)).toBeLessThanOrEqual(20_000);
    const all = { tail: undefined, follow: false, signal: undefined };
    const text = await textOf(await manager.logs('reader', name, all));
    expect(text.endsWith(`${'x'.repeat(99)}\n`)).toBe(true);
    expect(text).not.toContain('\0');
  });

  it('of an unknown instance is not found', async () => {
    const { manager } = await world();
    await manager.apply(wantedService({ count: 0 }));
    const request = { tail: 1, follow: false, signal: undefined };
    await expect(manager.logs('reader', 'reader-../x', request)).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}
