// Acknowledged means flushed: a process that writes is killed at arbitrary moments, many times;
// whatever it had acknowledged is there afterwards, and nothing is there twice or half.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { verifyFolder } from '../../src/engine/lmdb/health.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { rowsOf, Writer } from '../conformance/world.ts';

const lives = 3;

/** Lets a writer work until it has acknowledged `count` appends, then kills it; answers the last
 * sequence number that was acknowledged. */
async function life(folder: string, count: number): Promise<number> {
  const script = fileURLToPath(new URL('lmdb-writer.ts', import.meta.url));
  const child = fork(script, [folder, 'write'], {
    execArgv: ['--conditions=source', '--import', 'tsx'],
  });
  let acknowledged = 0;
  let left = count;
  child.on('message', (message) => {
    // Beside the word `open` only lmdb-writer.ts's acknowledgements come.
    if (typeof message !== 'object' || message === null || !('sequence' in message)) return;
    acknowledged = Math.max(acknowledged, Number(message.sequence));
    left--;
    if (left === 0) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGKILL');
  return acknowledged;
}

it('has everything that was acknowledged before a kill', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  try {
    for (let number = 1; number <= lives; number++) {
      const acknowledged = await life(folder, 60 * number + number);
      expect((await verifyFolder(folder, () => undefined)).damages).toEqual([]);
      const engine = new LmdbEngine({
        folder,
        clock: systemClock,
        log: silentLog,
        checkFirst: false,
      });
      await engine.start();
      const writer = new Writer(engine);
      const rows = await writer.recover();
      const last = writer.state.lastIndexes[0];
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      const indexes = [last - 2, last - 1, last];
      expect(rowsOf(rows, 'message').map(({ meta }) => meta.index)).toEqual(indexes);
      expect(rowsOf(rows, 'mark').map((row) => row.index)).toEqual(indexes);
      const records = rowsOf(rows, 'record').map(({ record }) => record.index);
      expect(records).toEqual(Array.from({ length: last - 3 }, (_, at) => at + 1));
      for (const index of indexes) {
        const size = index % 10 === 0 ? 256 * 1024 : 1000;
        expect((await writer.payload('input', index))?.length).toBe(size);
      }
      // Payload files of removed messages are gone, at the latest by the start.
      const files = indexes.filter((index) => index % 10 === 0).length;
      expect(await readdir(join(folder, 'queue', 'payloads'))).toHaveLength(files);
      await engine.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
