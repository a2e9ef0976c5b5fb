// A table is never taken for whole when the journal that it needs is not there: the two belong
// together from a start to the clean stop.

import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { glance } from '../../src/engine/lmdb/glance.ts';
import { Journal, journalFolder } from '../../src/engine/lmdb/journal/journal.ts';
import { makeKey } from '../../src/engine/lmdb/keys.ts';
import { Table } from '../../src/engine/lmdb/table.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { inFolder, keyAt, sourceOf } from '../unit/journal-world.ts';

const segmentBytes = 8192;
const row = Buffer.alloc(1000);

interface Life {
  readonly table: Table;
  readonly journal: Journal;
}

async function begin(folder: string): Promise<Life> {
  const table = new Table({ folder });
  const fatal = (error: unknown): void => {
    throw error;
  };
  const parts = { folder, table, clock: systemClock, log: silentLog, segmentBytes, fatal };
  const journal = new Journal(parts);
  try {
    await journal.start();
  } catch (error) {
    await table.close();
    throw error;
  }
  return { table, journal };
}

async function end({ table, journal }: Life): Promise<void> {
  await journal.stop();
  await table.close();
}

async function write({ journal }: Life, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    await journal.append(sourceOf([{ key: keyAt(index), row }]));
  }
}

/** What a start finds, and what the look before it says. */
async function starts(folder: string): Promise<string> {
  const looked = await glance(folder).then(
    () => '',
    (error: Error) => error.message,
  );
  // The rows of this test are no messages; only what is said of the journal counts.
  const found = /journal/.test(looked) ? looked : '';
  const begun = await begin(folder).then(end, (error: Error) => error.message);
  expect(begun ?? '').toBe(found);
  return found;
}

it('notices a journal that is missing, older or newer than its table', async () => {
  await inFolder(async (home) => {
    const [live, early, late, last] = ['live', 'early', 'late', 'last'].map((name) =>
      join(home, name),
    ) as [string, string, string, string];
    const life = await begin(live);
    await write(life, 0, 3);
    await cp(live, early, { recursive: true });
    await write(life, 3, 40);
    await life.journal.checkpoint();
    await write(life, 40, 41);
    // As a crash would leave it: nothing is being written now.
    await cp(live, late, { recursive: true });
    await end(life);

    const without = join(home, 'without');
    await cp(late, without, { recursive: true });
    await rm(journalFolder(without), { recursive: true });
    expect(await starts(without)).toContain('The journal is missing');

    const older = join(home, 'older');
    await cp(late, older, { recursive: true });
    await rm(journalFolder(older), { recursive: true });
    await cp(journalFolder(early), journalFolder(older), { recursive: true });
    expect(await starts(older)).toContain('does not belong to this table');

    const newer = join(home, 'newer');
    await cp(early, newer, { recursive: true });
    await rm(journalFolder(newer), { recursive: true });
    await cp(journalFolder(late), journalFolder(newer), { recursive: true });
    expect(await starts(newer)).toContain('does not belong to this table');

    await cp(late, last, { recursive: true });
    expect(await starts(last)).toBe('');
    const next = await begin(last);
    expect(next.table.get(makeKey(keyAt(40)))).toEqual(row);
    await end(next);
  });
});

it('needs no journal after a clean stop', async () => {
  await inFolder(async (folder) => {
    const life = await begin(folder);
    await write(life, 0, 3);
    await end(life);
    await rm(journalFolder(folder), { recursive: true });
    expect(await starts(folder)).toBe('');
    const next = await begin(folder);
    expect(next.table.get(makeKey(keyAt(2)))).toEqual(row);
    await end(next);
  });
});
