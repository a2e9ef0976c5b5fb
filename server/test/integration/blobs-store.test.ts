// Bodies in files, on a real disk: whole or not there, never more than there is room for, gone when
// nobody names them and never before.

import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { graceMs } from '../../src/blobs/store.ts';
import { isBodyName } from '../../src/engine/body-name.ts';
import { systemClock, type Time } from '../../src/kernel/clock.ts';
import { BodyWorld, bytesOf, mebibyte, never, pieces, readAll, stalled } from './blobs-world.ts';

let world: BodyWorld;
afterEach(() => world.close());

const isRoot = process.getuid?.() === 0;
const most = { bytesMax: 64 * mebibyte, signal: never };

it('gives back what it received, whole and in part', async () => {
  world = await BodyWorld.open();
  const store = await world.store();
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 700_000 }),
      fc.integer({ min: 1, max: 300_000 }),
      fc.tuple(fc.nat({ max: 700_000 }), fc.nat({ max: 700_000 })),
      async (size, pieceBytes, [first, last]) => {
        const bytes = bytesOf(size, size);
        const body = await store.receive(pieces(bytes, pieceBytes), most);
        expect(body.size).toBe(size);
        expect(body.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
        const whole = await store.open(body.name);
        expect(whole?.size).toBe(size);
        expect((await readAll(whole?.stream ?? Readable.from([]))).equals(bytes)).toBe(true);
        const part = await store.open(body.name, { first, last });
        const found = await readAll(part?.stream ?? Readable.from([]));
        expect(found.equals(bytes.subarray(first, last + 1))).toBe(true);
      },
    ),
    { numRuns: 20 },
  );
});

it('has what was received after the next start', async () => {
  world = await BodyWorld.open();
  const { name } = await (await world.store()).receive(pieces(bytesOf(1000), 100), most);
  const again = await world.store();
  expect(again.use).toEqual({ count: 1, bytes: 1000 });
  const found = await again.open(name);
  expect((await readAll(found?.stream ?? Readable.from([]))).equals(bytesOf(1000))).toBe(true);
});

it('leaves nothing of a body that is too large, cut or given up', async () => {
  world = await BodyWorld.open();
  const store = await world.store();
  const source = pieces(bytesOf(600_000), 50_000);
  await expect(store.receive(source, { ...most, bytesMax: 500_000 })).rejects.toMatchObject({
    code: 'too_large',
  });
  // Whoever sent it can be answered: its connection was left alone.
  expect(source.destroyed).toBe(false);
  const cut = new PassThrough();
  const receiving = store.receive(cut, most);
  cut.write(bytesOf(400_000));
  cut.destroy(new Error('connection lost'));
  await expect(receiving).rejects.toThrow('connection lost');
  const patience = new AbortController();
  const slow = stalled(bytesOf(400_000));
  const waiting = store.receive(slow, { ...most, signal: patience.signal });
  while ((await world.files()).length === 0) await turn();
  patience.abort(new Error('no patience'));
  await expect(waiting).rejects.toThrow('no patience');
  expect(slow.destroyed).toBe(true);
  expect(await world.files()).toEqual([]);
  expect(store.use).toEqual({ count: 0, bytes: 0 });
  // What they had of the room is free again.
  const whole = { bytesMax: 1024 * mebibyte, declared: 1024 * mebibyte, signal: never };
  await expect(store.receive(pieces(bytesOf(10), 10), whole)).resolves.toBeDefined();
});

it('removes what a crash has cut, and nothing else, when it starts', async () => {
  world = await BodyWorld.open();
  const { name } = await (await world.store()).receive(pieces(bytesOf(1000), 100), most);
  await writeFile(join(world.bodies, '00112233445566778899.part'), bytesOf(100));
  const again = await world.store();
  expect(await world.files()).toEqual([name]);
  expect(again.use.bytes).toBe(1000);
});

it('reads a source no faster than the disk takes it', async () => {
  world = await BodyWorld.open();
  const store = await world.store();
  let given = 0;
  let written = 0;
  let ahead = 0;
  const source = new Readable({
    highWaterMark: 65_536,
    read() {
      given += 65_536;
      ahead = Math.max(ahead, given - written);
      this.push(given > 48 * mebibyte ? null : Buffer.alloc(65_536));
    },
  });
  const receiving = store.receive(source, { bytesMax: 64 * mebibyte, signal: never });
  const poll = async (): Promise<void> => {
    for (;;) {
      const [part] = await world.files();
      if (part === undefined || !part.endsWith('.part')) return;
      const file = await open(join(world.bodies, part), 'r').catch(() => undefined);
      written = (await file?.stat())?.size ?? written;
      await file?.close();
      await turn();
    }
  };
  while ((await world.files()).length === 0) await turn();
  await poll();
  await receiving;
  expect(ahead).toBeLessThan(16 * mebibyte);
});

it('refuses more than all bodies together may have, also when they come at once', async () => {
  world = await BodyWorld.open();
  const store = await world.store({ bytesMax: 40 * mebibyte });
  const sizes = Array.from({ length: 10 }, () => 8 * mebibyte);
  const outcomes = await Promise.allSettled(
    sizes.map((size) => store.receive(pieces(Buffer.alloc(size), 65_536), most)),
  );
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(refused.length).toBe(5);
  for (const { reason } of refused) {
    expect(reason).toMatchObject({ code: 'disk_full', retryAfterMs: 30_000 });
    expect(reason.message).toContain('bodies.bytesMax');
  }
  expect(store.use).toEqual({ count: 5, bytes: 40 * mebibyte });
  expect(await world.files()).toHaveLength(5);
});

it.runIf(isRoot)(
  'leaves the reserve of a small disk alone, and lasts when it is full',
  async () => {
    world = await BodyWorld.open(32 * mebibyte);
    const reserveBytes = 16 * mebibyte;
    const store = await world.store({ reserveBytes });
    const declared = { ...most, declared: 20 * mebibyte };
    await expect(store.receive(pieces(Buffer.alloc(10), 10), declared)).rejects.toMatchObject({
      code: 'disk_full',
    });
    // Two at once each fit, but not both.
    const both = [1, 2].map(() =>
      store.receive(pieces(Buffer.alloc(10 * mebibyte), 65_536), {
        ...most,
        declared: 10 * mebibyte,
      }),
    );
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    // Others fill the disk in the middle of a body.
    const full = await world.store();
    const source = new PassThrough();
    const receiving = full.receive(source, most);
    source.write(Buffer.alloc(mebibyte));
    await writeFile(join(world.folder, 'others'), Buffer.alloc(22 * mebibyte)).catch(
      () => undefined,
    );
    source.end(Buffer.alloc(24 * mebibyte));
    await expect(receiving).rejects.toMatchObject({ code: 'disk_full' });
    expect((await world.files()).filter((name) => name.endsWith('.part'))).toEqual([]);
  },
);

it('never hands out a damaged body as a whole one', async () => {
  world = await BodyWorld.open();
  const store = await world.store();
  const { name } = await store.receive(pieces(bytesOf(900_000), 65_536), most);
  const path = join(world.bodies, name);
  const file = await open(path, 'r+');
  await file.write(Buffer.from([0x55, 0xaa, 0x55]), 0, 3, 450_000);
  await file.close();
  const flipped = await store.open(name);
  await expect(readAll(flipped?.stream ?? Readable.from([]))).rejects.toMatchObject({
    code: 'damaged',
  });
  await appendFile(path, 'x');
  const longer = await store.open(name);
  await expect(readAll(longer?.stream ?? Readable.from([]))).rejects.toMatchObject({
    code: 'damaged',
  });
});

it('opens nothing but bodies, whatever it is asked for', async () => {
  world = await BodyWorld.open();
  const store = await world.store();
  await writeFile(join(world.folder, 'secret'), 'token');
  const tricks = ['../secret', '..', '.', '', '/etc/passwd', 'a\0b', '%2e%2e/secret', '..\\secret'];
  for (const trick of tricks) expect(await store.open(trick)).toBeUndefined();
  await fc.assert(
    fc.asyncProperty(fc.string(), async (text) => {
      expect(isBodyName(text)).toBe(false);
    }),
  );
});

it('sweeps what nobody names, and nothing that is young, named or held', async () => {
  world = await BodyWorld.open();
  const store = await world.store();
  const receive = async (seed: number): Promise<{ name: string; release: () => void }> => {
    return store.receive(pieces(bytesOf(100, seed), 100), most);
  };
  const [named, held, young, old, hinted] = await Promise.all([1, 2, 3, 4, 5].map(receive));
  if (!named || !held || !young || !old || !hinted) throw new Error('five bodies');
  for (const { name } of [named, held, old]) await world.age(name);
  for (const { release } of [named, young, old, hinted]) release();
  store.mayGo(hinted.name);
  expect(await store.sweep()).toBe(0);
  store.keepOnly(async () => undefined);
  expect(await store.sweep()).toBe(0);
  store.keepOnly(async () => new Set([named.name]));
  const resume = store.pause();
  expect(await store.sweep()).toBe(0);
  resume();
  expect(await store.sweep()).toBe(2);
  expect([...(await world.files())].sort()).toEqual([named.name, held.name, young.name].sort());
  expect(store.use).toEqual({ count: 3, bytes: 300 });
});

it('keeps a body that a reader was told of for a while, whoever lets go of it', async () => {
  world = await BodyWorld.open();
  let laterMs = 0;
  const now = (): Time => ({ ...systemClock.now(), wall: Date.now() + laterMs });
  const store = await world.store({ clock: { ...systemClock, now } });
  const { name, release } = await store.receive(pieces(bytesOf(100), 100), most);
  release();
  await world.age(name);
  store.promise(name);
  store.mayGo(name);
  store.keepOnly(async () => new Set());
  expect(await store.sweep()).toBe(0);
  // Over a restart it is young.
  const age = async (): Promise<number> => {
    return Date.now() - (await stat(join(world.bodies, name))).mtimeMs;
  };
  while ((await age()) > 60_000) await turn();
  laterMs = graceMs;
  expect(await store.sweep()).toBe(1);
});

it('keeps a body that is taken up while a sweep asks who names it', async () => {
  world = await BodyWorld.open();
  const store = await world.store();
  const { name, release } = await store.receive(pieces(bytesOf(100), 100), most);
  release();
  await world.age(name);
  store.keepOnly(async () => {
    // Taken up, put into a queue and let go again, all before the answer is looked at.
    store.hold(name)();
    return new Set<string>();
  });
  expect(await store.sweep()).toBe(0);
  expect(store.sizeOf(name)).toBe(100);
  store.keepOnly(async () => new Set<string>());
  expect(await store.sweep()).toBe(1);
  expect(await store.open(name)).toBeUndefined();
});

it('has every body that it said it had, whole, after its process was killed', async () => {
  world = await BodyWorld.open();
  const script = fileURLToPath(new URL('blobs-writer.ts', import.meta.url));
  const stored: string[] = [];
  for (const count of [1, 7, 16]) {
    const child = fork(script, [world.bodies], {
      execArgv: ['--conditions=source', '--import', 'tsx'],
    });
    let left = count;
    child.on('message', (message: { readonly name: string }) => {
      stored.push(message.name);
      left -= 1;
      if (left === 0) child.kill('SIGKILL');
    });
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGKILL');
  }
  const store = await world.store();
  const files = await world.files();
  for (const name of stored) expect(files).toContain(name);
  for (const name of files) {
    const body = await store.open(name);
    expect((await readAll(body?.stream ?? Readable.from([]))).length).toBe(body?.size);
  }
  expect(store.use.count).toBe(files.length);
});
