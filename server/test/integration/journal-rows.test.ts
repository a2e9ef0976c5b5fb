// Reads through journal and table see exactly what was written, wherever each row lies at that
// moment: only in memory, on its way into the table, or in both.

import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RowWriter } from '../../src/engine/codec.ts';
import { Journal } from '../../src/engine/lmdb/journal/journal.ts';
import { Overlay } from '../../src/engine/lmdb/journal/overlay.ts';
import { finalRows, segmentRows } from '../../src/engine/lmdb/journal/replay.ts';
import { indexMax, keySeed, kinds, makeKey, type RowKey } from '../../src/engine/lmdb/keys.ts';
import { Rows } from '../../src/engine/lmdb/rows.ts';
import { Table } from '../../src/engine/lmdb/table.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { bodyOf, type Change, inFolder, sourceOf } from '../unit/journal-world.ts';

/** What the rows hold, by the bytes of their keys as hexadecimal, which have the same order. */
type Model = Map<string, { readonly key: RowKey; readonly value: number }>;

/** Kinds with rows that are written again, and messages, which are written once. */
const rewrittenKinds = [kinds.record, kinds.result];
const kindsUsed = [...rewrittenKinds, kinds.message];
const busy = 1;
const large = 2;
const largeRows = 1300;
const writer = new RowWriter();

let folder: string;
let table: Table;
let leave: () => void;
let left: Promise<void>;

beforeEach(async () => {
  await new Promise<void>((ready) => {
    left = inFolder(async (made) => {
      folder = made;
      table = new Table({ folder });
      const over = new Promise<void>((resolve) => {
        leave = resolve;
      });
      ready();
      await over;
    });
  });
});
afterEach(async () => {
  await table.close();
  leave();
  await left;
});

function rowOf(key: RowKey, value: number): Buffer {
  writer.begin();
  writer.uint(value);
  const row = Buffer.from(writer.end(keySeed(key.service, key.kind, key.index, key.sub)));
  writer.recycle();
  return row;
}

/** Changes, with the model changed alike. */
function change(model: Model, key: RowKey, value: number | null): Change {
  const name = makeKey(key).toString('hex');
  if (value === null) model.delete(name);
  else model.set(name, { key, value });
  return { key, row: value === null ? null : rowOf(key, value) };
}

type Seen = readonly [index: number, sub: number, value: number];

function modelled(model: Model, service: number, kind: number, from: number): Seen[] {
  return [...model.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([, { key }]) => key.service === service && key.kind === kind && key.index >= from)
    .map(([, { key, value }]) => [key.index, key.sub, value]);
}

function scan(rows: Rows, service: number, kind: number, from: number): Iterable<Seen> {
  return rows.kind<Seen>(service, kind, from, (reader, index, sub) => [index, sub, reader.uint()]);
}

function mustAgree(rows: Rows, model: Model, random: SeededRandom): void {
  for (const kind of kindsUsed) {
    const from = random.between(0, 7);
    expect([...scan(rows, busy, kind, from)]).toEqual(modelled(model, busy, kind, from));
    const all = modelled(model, busy, kind, 0);
    const start = { service: busy, kind, index: random.between(0, 7), sub: random.between(0, 2) };
    const below = random.chance(0.3) ? indexMax : random.between(0, 8);
    const limit = random.between(1, 12);
    const expected = all
      .filter(([index, sub]) => {
        const isAfter = index > start.index || (index === start.index && sub >= start.sub);
        return isAfter && index < below;
      })
      .slice(0, limit)
      .map(([index, sub]) => ({ service: busy, kind, index, sub }));
    expect(rows.keys(start, below, limit)).toEqual(expected);
    for (let index = 0; index <= 7; index++) {
      const key = { service: busy, kind, index, sub: random.between(0, 1) };
      const known = model.get(makeKey(key).toString('hex'));
      expect(rows.has(key)).toBe(known !== undefined);
      const row = rows.get(key);
      expect(row && Buffer.from(row)).toEqual(known && rowOf(key, known.value));
    }
  }
}

let lastMessage = 0;

function busyChanges(model: Model, random: SeededRandom): readonly Change[] {
  return Array.from({ length: random.between(1, 6) }, () => {
    const kind = random.pick(kindsUsed);
    if (kind === kinds.message) return messageChange(model, random);
    const key = { service: busy, kind, index: random.between(0, 7), sub: random.between(0, 1) };
    return change(model, key, random.chance(0.4) ? null : random.between(0, 10 ** 6));
  });
}

/** One comes, or one that is there goes. */
function messageChange(model: Model, random: SeededRandom): Change {
  const known = [...model.values()].map(({ key }) => key);
  const here = known.filter(({ service, kind }) => service === busy && kind === kinds.message);
  if (here.length > 0 && random.chance(0.5)) return change(model, random.pick(here), null);
  lastMessage += 1;
  const key = { service: busy, kind: kinds.message, index: lastMessage, sub: 0 };
  return change(model, key, random.between(0, 10 ** 6));
}

function largeChanges(model: Model, random: SeededRandom): readonly Change[] {
  return Array.from({ length: random.between(1, 20) }, () => {
    const key = {
      service: large,
      kind: kinds.record,
      index: random.between(1, largeRows + 20),
      sub: 0,
    };
    return change(model, key, random.chance(0.4) ? null : random.between(0, 10 ** 6));
  });
}

function fillLarge(model: Model): readonly Change[] {
  return Array.from({ length: largeRows + 20 }, (_, at) => {
    const key = { service: large, kind: kinds.record, index: at + 1, sub: 0 };
    return change(model, key, at < largeRows ? at : null);
  });
}

it('agrees with a map after every write, seal, apply and drop', async () => {
  const oneRun = (seed: number, steps: number): void => {
    const random = new SeededRandom(seed);
    const overlay = new Overlay();
    const rows = new Rows(table, overlay);
    const model: Model = new Map();
    const stale = [...table.range({ service: busy, kind: 0, index: 0, sub: 0 }, endOfBusy, 1000)];
    table.apply(stale.map(({ key }) => ({ key: Buffer.from(key), row: null })));
    let bodies: Buffer[] = [];
    let sealed: readonly Buffer[] | undefined;
    let isApplied = false;
    for (let step = 0; step < steps; step++) {
      if (random.chance(0.6)) {
        const body = bodyOf(busyChanges(model, random));
        overlay.add(body);
        bodies.push(body);
      } else if (sealed === undefined) {
        overlay.seal();
        sealed = bodies;
        bodies = [];
      } else if (!isApplied) {
        expect(table.apply(segmentRows(sealed))).toBe('done');
        isApplied = true;
      } else {
        table.refresh();
        overlay.drop();
        sealed = undefined;
        isApplied = false;
      }
      mustAgree(rows, model, random);
    }
  };
  const property = fc.property(fc.nat(), fc.integer({ min: 5, max: 40 }), oneRun);
  await fc.assert(property, { numRuns: 60 });
});

const endOfBusy: RowKey = { service: busy, kind: 255, index: 0, sub: 0 };

it('goes on with a scan that began before its rows came into the table', async () => {
  const model: Model = new Map();
  const oneRun = (seed: number): void => {
    const random = new SeededRandom(seed);
    const overlay = new Overlay();
    const rows = new Rows(table, overlay);
    model.clear();
    table.apply(finalRows([bodyOf(fillLarge(model))]));
    const bodies = [largeChanges(model, random), largeChanges(model, random)].map(bodyOf);
    for (const [at, body] of bodies.entries()) {
      overlay.add(body);
      if (at === 0) overlay.seal();
    }
    const expected = modelled(model, large, kinds.record, 0);
    const events = [
      () => table.apply(finalRows(bodies.slice(0, 1))),
      () => overlay.drop(),
      () => overlay.seal(),
      () => table.apply(finalRows(bodies.slice(1))),
      () => overlay.drop(),
    ];
    const seen: Seen[] = [];
    for (const row of scan(rows, large, kinds.record, 0)) {
      seen.push(row);
      if (!random.chance(0.006)) continue;
      table.refresh();
      events.shift()?.();
      // Another service goes on.
      overlay.add(bodyOf(busyChanges(model, random)));
    }
    expect(seen).toEqual(expected);
    expect([...scan(rows, large, kinds.record, 0)]).toEqual(expected);
  };
  await fc.assert(fc.property(fc.nat(), oneRun), { numRuns: 12 });
});

it('sees every write while another thread brings segments into the table', async () => {
  const random = new SeededRandom(7);
  const fatal = (error: unknown): void => {
    throw error;
  };
  const journal = new Journal({
    folder,
    table,
    clock: systemClock,
    log: silentLog,
    segmentBytes: 24_000,
    fatal,
  });
  await journal.start();
  const rows = new Rows(table, journal.overlay);
  const model: Model = new Map();
  expect(await journal.append(sourceOf(fillLarge(model)))).toBe('durable');
  let drops = 0;
  const failures: unknown[] = [];
  const drop = journal.overlay.drop.bind(journal.overlay);
  journal.overlay.drop = () => {
    drops++;
    drop();
    // In the same turn: the view of the table has to be the new one.
    try {
      mustAgree(rows, model, random);
    } catch (error) {
      failures.push(error);
    }
  };
  try {
    while (drops < 12 && failures.length === 0) {
      // The model is ahead of the disk while the write is under way.
      const before: Model = new Map(model);
      const writing = journal.append(sourceOf(busyChanges(before, random)));
      mustAgree(rows, model, random);
      expect(await writing).toBe('durable');
      for (const [name, row] of before) model.set(name, row);
      for (const name of model.keys()) if (!before.has(name)) model.delete(name);
      mustAgree(rows, model, random);
      if (random.chance(0.05)) await journal.checkpoint();
    }
    expect(failures).toEqual([]);
    expect([...scan(rows, large, kinds.record, 0)]).toEqual(
      modelled(model, large, kinds.record, 0),
    );
  } finally {
    await journal.stop();
  }
  // After the stop the table has it all.
  const bare = new Rows(table, new Overlay());
  mustAgree(bare, model, random);
});
