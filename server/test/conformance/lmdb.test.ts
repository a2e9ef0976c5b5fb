// The embedded engine keeps the contract, across restarts.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { type EngineUnderTest, engineConformance } from './suite.ts';

// With small segments nearly every append sends the one before into the table.
for (const segmentBytes of [4 * 2 ** 20, 8 * 1024]) {
  engineConformance(`lmdb, in segments of ${segmentBytes} bytes`, () => openWorld(segmentBytes));
}

async function openWorld(segmentBytes: number): Promise<EngineUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  const open = async (): Promise<LmdbEngine> => {
    const fatal = (error: unknown): void => {
      throw error;
    };
    const engine = new LmdbEngine({
      folder,
      clock: systemClock,
      log: silentLog,
      fatal,
      segmentBytes,
      checkFirst: false,
    });
    await engine.start();
    return engine;
  };
  let current = await open();
  return {
    engine: current,
    reopen: async () => {
      await current.stop();
      current = await open();
      return current;
    },
    close: async () => {
      await current.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
