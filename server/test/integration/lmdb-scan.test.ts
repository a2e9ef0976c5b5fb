// A service with many rows, most of which another thread reads: what comes back is what was
// written, wherever each row lies, and damage is found wherever it is.

import { expect, it } from 'vitest';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { queueFolder } from '../../src/engine/lmdb/folder.ts';
import { makeKey, messageKind, type RowKey } from '../../src/engine/lmdb/keys.ts';
import { Table } from '../../src/engine/lmdb/table.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { Transition } from '../../src/queue/transition.ts';
import { metaOf, put, recordOf, recovered, remove, Writer } from '../conformance/world.ts';
import { inFolder } from '../unit/journal-world.ts';

const service = 7;
/** More than a start reads by itself and several answers of the thread. */
const many = 9000;
const atOnce = 256;

function open(folder: string): LmdbEngine {
  return new LmdbEngine({ folder, clock: systemClock, log: silentLog, checkFirst: false });
}

/** Messages of many lengths, one with a head as large as thousands of others. */
function* history(): Iterable<Transition> {
  for (let index = 1; index <= many; index += 1) {
    const tags = new Map([['note', 'é'.repeat(index === 5000 ? 120_000 : index % 40)]]);
    yield put('input', index, 20, metaOf(index, 20, { tags, callerId: true }));
    if (index % 3 === 0) yield remove('input', index - 1, { record: recordOf(index - 1) });
  }
}

async function write(
  writers: readonly Writer[],
  transitions: readonly Transition[],
): Promise<void> {
  for (let at = 0; at < transitions.length; at += atOnce) {
    const some = transitions.slice(at, at + atOnce);
    for (const writer of writers) await writer.write(...some);
  }
}

it('brings back many rows, those of the journal between those of the table', async () => {
  await inFolder(async (folder) => {
    const memory = new MemoryEngine();
    await memory.start();
    const first = open(folder);
    await first.start();
    const before = [new Writer(memory, service), new Writer(first, service)];
    await write(before, [...history()]);
    await first.stop();

    const engine = open(folder);
    await engine.start();
    const writers = [new Writer(memory, service), new Writer(engine, service)];
    const [known, found] = await Promise.all(writers.map((writer) => writer.recover()));
    expect(found).toEqual(known);
    await write(writers, [
      remove('input', 6001, { record: recordOf(6001) }),
      remove('input', many, { record: recordOf(many) }),
      put('input', many + 1),
      { kind: 'record', record: recordOf(2, { reason: 'anew' }) },
    ]);
    // Two at a time, and one that is given up.
    for await (const _ of engine.recover(service)) break;
    const again = await Promise.all([recovered(engine, service), recovered(engine, service)]);
    const wanted = await recovered(memory, service);
    for (const rows of again) expect(rows).toEqual(wanted);
    await engine.stop();
  });
});

it('finds a damaged row among many, and says which', async () => {
  await inFolder(async (folder) => {
    const engine = open(folder);
    await engine.start();
    await write([new Writer(engine, service)], [...history()]);
    await engine.stop();
    const key: RowKey = { service, kind: messageKind('input'), index: 7000, sub: 0 };
    await flip(queueFolder(folder), makeKey(key));

    const damaged = open(folder);
    await damaged.start();
    const reading = recovered(damaged, service);
    await expect(reading).rejects.toThrow(/message input 7000 of service 7.*checksum/);
    await damaged.stop();
  });
});

async function flip(folder: string, key: Buffer): Promise<void> {
  const table = new Table({ folder });
  const row = Buffer.from(table.get(key) ?? []);
  row[12] = (row[12] ?? 0) ^ 1;
  table.apply([{ key, row }]);
  await table.close();
}
