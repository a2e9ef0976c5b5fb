// A loss of power at any moment leaves exactly what was answered, and of the transaction under way
// all or nothing. A real journal works on recorded files; for every change of a file the states are
// built that a loss of power may leave, and read back. Then the next life begins on one of them.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { Journal, journalFolder } from '../../src/engine/lmdb/journal/journal.ts';
import { finalRows, readJournal } from '../../src/engine/lmdb/journal/replay.ts';
import { makeKey } from '../../src/engine/lmdb/keys.ts';
import { Table } from '../../src/engine/lmdb/table.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { type Change, inFolder, keyAt, sourceOf } from '../unit/journal-world.ts';
import { after, type Files, type RecordedDisk, type Step, tornStates } from './recorded-disk.ts';

const disk = await vi.hoisted(async () => {
  const { RecordedDisk } = await import('./recorded-disk.ts');
  return new RecordedDisk();
});
vi.mock('node:fs', async (load) => {
  const real = await load<typeof import('node:fs')>();
  type Rest = Parameters<RecordedDisk['write']> extends [unknown, ...infer Rest] ? Rest : never;
  return { ...real, write: (...rest: Rest) => disk.write(real.write, ...rest) };
});
vi.mock('node:fs/promises', async (load) => {
  const real = await load<typeof import('node:fs/promises')>();
  const { O_CREAT } = (await load<typeof import('node:fs/promises')>()).constants;
  return {
    ...real,
    open: async (path: string, flags?: string | number, mode?: number) => {
      const makes = typeof flags === 'number' && (flags & O_CREAT) !== 0;
      return disk.opened(path, makes, await real.open(path, flags, mode));
    },
    unlink: (path: string) => {
      disk.unlinked(path);
      return real.unlink(path);
    },
  };
});

/** Rows by the hexadecimal bytes of their keys; never changed. */
type Rows = ReadonlyMap<string, Buffer>;

/** What has to be found after a loss of power during a step. */
interface Moment {
  readonly step: Step;
  /** Every row that was answered. */
  readonly answered: Rows;
  /** With the transaction under way. */
  readonly underWay: Rows | undefined;
  /** What the table may hold at that moment. */
  readonly tables: readonly Rows[];
}

interface World {
  readonly files: Files;
  readonly table: Rows;
  /** What has to be there when the life begins. */
  readonly rows: Rows;
}

const segmentBytes = 20_000;
const lives = 3;
const transactions = 40;

function changed(rows: Rows, changes: readonly Change[]): Rows {
  const next = new Map(rows);
  for (const { key, row } of changes) {
    const name = makeKey(key).toString('hex');
    if (row === null) next.delete(name);
    else next.set(name, row);
  }
  return next;
}

function someChanges(random: SeededRandom): readonly Change[] {
  return Array.from({ length: random.between(1, 4) }, () => {
    const size = random.pick([10, 700, 4030, 4096, 7000]);
    const row = random.chance(0.3) ? null : Buffer.alloc(size, random.between(1, 255));
    return { key: keyAt(random.between(1, 30)), row };
  });
}

function print(rows: Rows): string {
  const lines = [...rows].map(([name, row]) => `${name} ${row.length} ${crc32(row)}`);
  return lines.sort().join('\n');
}

/** One life from start to stop; answers every moment of it. */
async function live(folder: string, world: World, random: SeededRandom): Promise<Moment[]> {
  disk.folder = journalFolder(folder);
  await mkdir(disk.folder, { recursive: true });
  for (const [name, bytes] of world.files) await writeFile(join(disk.folder, name), bytes);
  const moments: Moment[] = [];
  const table = new Table({ folder });
  const inTable = [...world.table].map(([name, row]) => ({ key: Buffer.from(name, 'hex'), row }));
  expect(table.apply(inTable)).toBe('done');
  let answered = world.rows;
  let underWay: Rows | undefined;
  let tableRows = world.table;
  let sealed: Rows | undefined;
  const apply = table.apply.bind(table);
  table.apply = (rows) => {
    const outcome = apply(rows);
    tableRows = answered;
    return outcome;
  };
  disk.onStep = (step) => {
    const tables = sealed === undefined ? [tableRows] : [tableRows, sealed];
    moments.push({ step, answered, underWay, tables });
  };
  const fatal = (error: unknown): void => {
    throw error;
  };
  const journal = new Journal({
    folder,
    table,
    clock: systemClock,
    log: silentLog,
    segmentBytes,
    fatal,
  });
  const { overlay } = journal;
  const seal = overlay.seal.bind(overlay);
  overlay.seal = () => {
    seal();
    sealed = answered;
  };
  const drop = overlay.drop.bind(overlay);
  overlay.drop = () => {
    drop();
    tableRows = sealed ?? tableRows;
    sealed = undefined;
  };
  await journal.start();
  for (let number = 0; number < transactions; number++) {
    const changes = someChanges(random);
    underWay = changed(answered, changes);
    if (random.chance(0.1)) disk.leftBytes = random.between(0, 6000);
    const outcome = await journal.append(sourceOf(changes));
    disk.leftBytes = Number.POSITIVE_INFINITY;
    if (outcome === 'durable') answered = underWay;
    underWay = undefined;
    if (random.chance(0.05)) await journal.checkpoint();
  }
  await journal.stop();
  await table.close();
  disk.onStep = () => undefined;
  return moments;
}

/** Reads the folder back as a start does. */
async function mustHold(folder: string, moment: Moment): Promise<void> {
  const { bodies } = await readJournal(folder);
  const { answered, underWay, tables } = moment;
  const allowed = [print(answered), ...(underWay === undefined ? [] : [print(underWay)])];
  for (const table of tables) {
    const found = new Map(table);
    for (const { key, row } of finalRows(bodies)) {
      if (row === null) found.delete(key.toString('hex'));
      else found.set(key.toString('hex'), row);
    }
    expect(allowed).toContain(print(found));
  }
}

/** Tries every moment; answers the state that one of them leaves. */
async function loseYourPower(
  start: Files,
  moments: readonly Moment[],
  random: SeededRandom,
): Promise<World> {
  const chosen = random.between(Math.floor(moments.length / 2), moments.length - 1);
  let next: World | undefined;
  await inFolder(async (folder) => {
    let files = start;
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
    for (const [at, moment] of moments.entries()) {
      const { step } = moment;
      for (const state of tornStates(files, step, random)) {
        const path = join(folder, step.name);
        if (state === undefined) await rm(path, { force: true });
        else await writeFile(path, state);
        await mustHold(folder, moment);
        if (at !== chosen || (next !== undefined && random.chance(0.7))) continue;
        const torn = new Map(files);
        if (state === undefined) torn.delete(step.name);
        else torn.set(step.name, state);
        next = { files: torn, ...(await resolved(folder, moment, random)) };
      }
      files = after(files, step);
      const now = files.get(step.name);
      if (now === undefined) await rm(join(folder, step.name), { force: true });
      else await writeFile(join(folder, step.name), now);
    }
  });
  if (next === undefined) throw new Error('a life has moments');
  return next;
}

async function resolved(
  folder: string,
  { tables, answered, underWay }: Moment,
  random: SeededRandom,
): Promise<Omit<World, 'files'>> {
  const table = random.pick(tables);
  const { bodies } = await readJournal(folder);
  const rows = finalRows(bodies).map(({ key, row }) => [key.toString('hex'), row] as const);
  const found = new Map(table);
  for (const [name, row] of rows) row === null ? found.delete(name) : found.set(name, row);
  const isTaken = underWay !== undefined && print(found) === print(underWay);
  return { table, rows: isTaken ? underWay : answered };
}

it('keeps what it answered, and nothing else, wherever the power is lost', async () => {
  const random = new SeededRandom(20_261_122);
  let world: World = { files: new Map(), table: new Map(), rows: new Map() };
  let writes = 0;
  for (let life = 0; life < lives; life++) {
    const moments = await inFolder((folder) => live(folder, world, random));
    writes += moments.filter(({ step }) => step.kind === 'write').length;
    world = await loseYourPower(world.files, moments, random);
  }
  expect(writes).toBeGreaterThan(lives * transactions);
});
