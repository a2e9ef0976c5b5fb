// The lmdb engine shares rows among marks, so a few marks that stay could keep many rows of stale
// ones alive. They are written anew before that gets out of hand.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { queueFolder } from '../../src/engine/lmdb/folder.ts';
import { verify } from '../../src/engine/lmdb/verify.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { deliver, group, put, remove, rowsOf, Writer } from './world.ts';

it('bounds the rows that few long leases keep alive', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  const engine = new LmdbEngine({
    folder,
    clock: systemClock,
    log: silentLog,
    checkFirst: false,
  });
  await engine.start();
  const writer = new Writer(engine);
  const rounds = 120;
  const perRound = 50;
  await writer.write(group('input', 1));
  for (let round = 0; round < rounds; round++) {
    const first = round * perRound + 1;
    const indexes = Array.from({ length: perRound }, (_, at) => first + at);
    await writer.write(
      ...indexes.map((index) => put('input', index)),
      ...indexes.map((index) => deliver('input', 1, index, index)),
    );
    // All but the first of each round are soon done.
    await writer.write(...indexes.slice(1).map((index) => remove('input', index)));
  }
  const marks = rowsOf(await writer.recover(), 'mark');
  const long = Array.from({ length: rounds }, (_, round) => round * perRound + 1);
  expect(marks.map(({ index, mark }) => [index, mark.deliveryId])).toEqual(
    long.map((index) => [index, index]),
  );
  await engine.stop();
  // Without that there would be one row for each round.
  const report = await verify(queueFolder(folder), () => undefined);
  expect(report.rows.marks).toBeLessThan(60);
  await rm(folder, { recursive: true, force: true });
});
