// Containers outlive the server that started them, and the engine too: the next server goes on with
// them or ends them, and those of other servers are left alone.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { engineProblem, startEngine, type TestEngine, wait } from '../docker/engine.ts';
import { loadBusybox } from '../docker/images.ts';
import { ContainerWorld, launchOf, page, script, webServer } from './container-world.ts';

/** Writes a number every 20 ms. */
const counting = 'i=0; while :; do i=$((i+1)); echo $i; usleep 20000; done';

describe.skipIf(engineProblem !== undefined)('a container', () => {
  let engine: TestEngine;
  let folder: string;
  const closers: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    engine = await startEngine({ liveRestore: true });
    await loadBusybox(engine);
  });
  afterAll(() => engine?.stop());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-survival-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    for (const id of await ids()) await engine.docker.getContainer(id).remove({ force: true });
  });

  const ids = async (): Promise<readonly string[]> =>
    (await engine.docker.listContainers({ all: true })).map(({ Id }) => Id);
  const data = (): string => join(folder, 'containers');
  const next = (): ContainerWorld => new ContainerWorld(data(), engine.host);

  /** A server with these copies, to be killed. */
  async function server(...texts: string[]): Promise<ChildProcess> {
    const file = fileURLToPath(new URL('container-server.ts', import.meta.url));
    const args = ['--conditions=source', '--import', 'tsx', file, data(), engine.host, ...texts];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    closers.push(() => end(child));
    const lines = createInterface(child.stdout);
    for await (const line of lines) if (line === 'started') break;
    return child;
  }

  it('of a killed server is gone on with, and its log misses and doubles no line', async () => {
    const child = await server(webServer, counting);
    await next().written((text) => text.includes('\n40\n'), 'reader-bbbbb');
    await end(child);
    const world = next();
    const [first, second] = (await world.driver.survivors()).toSorted((one, other) =>
      one.instance.localeCompare(other.instance),
    );
    expect(first).toMatchObject({
      ...{ service: 'reader', number: 7, instance: 'reader-aaaaa', key: '7.3', revision: 4 },
      devices: [],
    });
    expect(systemClock.now().wall - (first?.startedAt ?? 0)).toBeLessThan(60_000);
    const running = await first?.adopt(launchOf());
    const counter = await second?.adopt(launchOf({ instance: 'reader-bbbbb' }));
    if (running === undefined || counter === undefined) throw new Error('both survive');
    expect(await page(running, '')).toBe('hello\n');
    expect(await running.exec?.(['true'], new AbortController().signal)).toMatchObject({
      ok: true,
    });
    await world.written((text) => text.includes('\n120\n'), 'reader-bbbbb');
    process.kill(counter.pid ?? 0, 'SIGKILL');
    expect(await counter.ended).toMatchObject({ code: 137 });
    await counter.stop(0);
    await running.stop(1000);
    const lines = (await world.text('reader-bbbbb')).trim().split('\n').map(Number);
    expect(lines).toEqual(lines.map((_, at) => at + 1));
    expect(lines.length).toBeGreaterThanOrEqual(120);
    expect(await ids()).toEqual([]);
  });

  it('of a killed server is ended when it is not wanted, its last words are kept', async () => {
    const child = await server(webServer, 'sleep 0.3; echo last words; exit 4');
    await end(child);
    const [, over] = (await ids()).toReversed();
    await engine.docker.getContainer(over ?? '').wait();
    const world = next();
    const survivors = await world.driver.survivors();
    expect(survivors.map(({ instance }) => instance)).toEqual(['reader-aaaaa']);
    expect(await world.text('reader-bbbbb')).toBe('last words\n');
    await survivors[0]?.end();
    expect(await ids()).toEqual([]);
  });

  it('of a killed server keeps its log, however long it has written nothing', async () => {
    const child = await server('echo first words; exec sleep 600');
    // How far it has come stands beside the log.
    const note = () => readFile(join(data(), 'reader-aaaaa.at'), 'utf8').catch(() => '');
    while (!(await note()).includes('"bytes":12')) await wait(20);
    await end(child);
    // Twenty of those that are gone are kept, the latest.
    await utimes(join(data(), 'reader-aaaaa.log'), 1, 1);
    for (let at = 0; at < 20; at += 1) await writeFile(join(data(), `reader-gone${at}.log`), 'x');
    const world = next();
    const [survivor] = await world.driver.survivors();
    expect(await world.text()).toBe('first words\n');
    await survivor?.end();
  });

  it('of another data folder, or of a copy of this one, is left alone', async () => {
    await server(webServer);
    const copied = join(folder, 'copy');
    await cp(data(), copied, { recursive: true });
    for (const other of [join(folder, 'other'), copied]) {
      const world = new ContainerWorld(other, engine.host);
      expect(await world.driver.survivors()).toEqual([]);
      const running = await world.serve();
      await running.stop(0);
      expect((await ids()).length).toBe(1);
    }
    expect((await next().driver.survivors()).length).toBe(1);
  });

  it('that was left while no engine answered is ended before another one starts', async () => {
    const child = await server(webServer);
    await end(child);
    const [left] = await ids();
    await engine.kill();
    const world = next();
    expect(await world.driver.survivors()).toEqual([]);
    const ending = await world.outcome({});
    expect(ending.problem).toMatch(/^no Docker Engine answers at .*: nothing listens there$/);
    await engine.start();
    const running = await world.serve();
    const now = await ids();
    expect(now.length).toBe(1);
    expect(now).not.toContain(left);
    await running.stop(0);
  });

  it('does not end with its engine, and what it wrote meanwhile is not lost', async () => {
    const world = next();
    const running = await world.serve({ instance: 'reader-web' });
    const counter = await world.start(script(counting));
    let hasEnded = false;
    const noted = running.ended.then(() => {
      hasEnded = true;
    });
    await world.written((text) => text.includes('\n20\n'));
    await engine.kill();
    expect(await world.driver.problem()).toMatch(/^no Docker Engine answers/);
    await engine.start();
    expect(await page(running, '')).toBe('hello\n');
    const written = (await world.text()).split('\n').length;
    await world.written((text) => text.split('\n').length > written + 20);
    expect(hasEnded).toBe(false);
    await running.stop(1000);
    await noted;
    counter.kill();
    await counter.stop(0);
    const lines = (await world.text()).trim().split('\n').map(Number);
    expect(lines).toEqual(lines.map((_, at) => at + 1));
  });

  it('that is to end while its engine is away ends when that is back', async () => {
    const world = next();
    const running = await world.serve();
    await engine.kill();
    const stopped = running.stop(60_000);
    await engine.start();
    await stopped;
    expect((await running.ended).code).toBe(143);
    expect(await ids()).toEqual([]);
  });
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
