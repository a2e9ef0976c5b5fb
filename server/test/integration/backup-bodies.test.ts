// Bodies in files through backup, check and restore: what messages and records name is there
// afterwards, whole, and a body that is damaged is found before it is needed.

import { mkdtemp, open, readdir, readFile, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BodyStore } from '../../src/blobs/store.ts';
import { backUpStopped } from '../../src/engine/lmdb/backup/backup.ts';
import { restore } from '../../src/engine/lmdb/backup/restore.ts';
import { verifyFolder } from '../../src/engine/lmdb/health.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { writeAfterwards } from '../../src/queue/afterwards.ts';
import { noTerms, writeTerms } from '../../src/queue/terms.ts';
import { put, recordOf, Writer } from '../conformance/world.ts';
import { bytesOf, mebibyte, never, pieces, readAll } from './blobs-world.ts';
import { plainEngine } from './small-folder.ts';

const now = Date.UTC(2026, 10, 22, 12);
const nothing = (): void => undefined;

let base: string;
let data: string;
let input: string;
let result: string;

async function storeIn(folder: string): Promise<BodyStore> {
  const parts = { clock: systemClock, random: systemRandom, log: silentLog };
  const limits = { bytesMax: 64 * mebibyte, reserveBytes: 0 };
  const store = new BodyStore({ folder: join(folder, 'bodies'), ...limits, ...parts });
  await store.start();
  return store;
}

async function contentOf(folder: string, name: string): Promise<Buffer> {
  const body = await (await storeIn(folder)).open(name);
  return readAll(body?.stream ?? Readable.from([]));
}

/** A stopped folder in which a message names a body, and a record a result. */
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'sluice-'));
  data = join(base, 'data');
  const engine = plainEngine(data);
  await engine.start();
  const store = await storeIn(data);
  const most = { bytesMax: 64 * mebibyte, signal: never };
  const first = await store.receive(pieces(bytesOf(3 * mebibyte, 1), 65_536), most);
  const second = await store.receive(pieces(bytesOf(mebibyte, 2), 65_536), most);
  input = first.name;
  result = second.name;
  const body = { kind: 'file', name: input, size: first.size } as const;
  const after = writeAfterwards({ result: { kind: 'file', name: result, size: second.size } });
  const writer = new Writer(engine, 7);
  await engine.saveDefinition({ number: 7, name: 'small', definition: '{}' });
  await writer.write({ kind: 'epoch', epoch: 3 });
  await writer.write(
    put('input', 1, 10),
    put('input', 2, 0, { terms: writeTerms({ ...noTerms, body }) }),
  );
  const record = recordOf(1, { after });
  await writer.write({
    kind: 'complete',
    index: 1,
    result: undefined,
    recordResult: undefined,
    record,
    outbox: undefined,
  });
  await engine.stop();
  await store.stop();
});
afterEach(() => rm(base, { recursive: true, force: true }));

it('brings bodies into a backup and back', async () => {
  const target = join(base, 'backup');
  await backUpStopped({ folder: data, target, sluice: '1.2.3', now });
  expect((await readdir(join(target, 'bodies'))).sort()).toEqual([input, result].sort());
  expect(await readFile(join(target, 'SHA256SUMS'), 'utf8')).toContain(`bodies/${input}`);
  const other = join(base, 'other');
  await restore({ backup: target, folder: other, replace: false, now });
  expect((await contentOf(other, input)).equals(bytesOf(3 * mebibyte, 1))).toBe(true);
  expect((await contentOf(other, result)).equals(bytesOf(mebibyte, 2))).toBe(true);
  expect((await verifyFolder(other, nothing)).damages).toEqual([]);
  // What a restore replaces is kept with the bodies that belong to it.
  const restored = await restore({ backup: target, folder: other, replace: true, now });
  expect((await readdir(join(restored.replaced ?? '', 'bodies'))).sort()).toEqual(
    [input, result].sort(),
  );
});

it('finds a body that is damaged or missing, and makes no backup of it', async () => {
  const file = await open(join(data, 'bodies', result), 'r+');
  await file.write(Buffer.from([7]), 0, 1, 500_000);
  await file.close();
  await unlink(join(data, 'bodies', input));
  const { damages } = await verifyFolder(data, nothing);
  expect(damages.map(({ table, index, what }) => [table, index, what])).toEqual([
    ['message input', 2, `Its body ${input} can't be read.`],
    ['record', 1, `Its body ${result} is not what it was.`],
  ]);
  const target = join(base, 'backup');
  const made = backUpStopped({ folder: data, target, sluice: '1.2.3', now });
  await expect(made).rejects.toThrow('no backup was made');
});
