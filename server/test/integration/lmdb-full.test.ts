// A full disk is an answer, any other failure of the disk is the end of the process. On real ones:
// a file system of 24 MB in memory, and a limit on the size of files.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { messages, put, remove, Writer } from '../conformance/world.ts';

let folder: string;
let mounted: boolean;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  mounted = false;
});
afterEach(async () => {
  if (mounted) execFileSync('umount', [folder]);
  await rm(folder, { recursive: true, force: true });
});

const full = { kind: 'refused', why: 'full' };

async function smallDisk(reserveBytes: number): Promise<LmdbEngine> {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
  mounted = true;
  const fatal = (error: unknown): void => {
    throw error;
  };
  const engine = new LmdbEngine({
    folder: join(folder, 'data'),
    clock: systemClock,
    log: silentLog,
    reserveBytes,
    fatal,
  });
  await engine.start();
  return engine;
}

const isRoot = process.getuid?.() === 0;

it.runIf(isRoot)(
  'refuses what does not fit, loses nothing, and goes on when there is room',
  async () => {
    const engine = await smallDisk(0);
    const others = join(folder, 'others');
    await writeFile(others, Buffer.alloc(8 * 2 ** 20));
    try {
      const writer = new Writer(engine);
      let last = 0;
      for (;;) {
        const puts = Array.from({ length: 20 }, (_, at) => put('input', last + at + 1, 1000));
        const outcome = await writer.append(...puts);
        if (outcome.kind !== 'durable') {
          expect(outcome).toEqual(full);
          break;
        }
        last += 20;
      }
      expect(last).toBeGreaterThan(3000);
      // Nothing passes until the service was recovered, so no batch can follow a lost one.
      expect(await writer.append(put('input', last + 1))).toEqual({
        kind: 'refused',
        why: 'fenced',
      });
      expect(messages(await writer.recover()).at(-1)).toBe(`input ${last}`);
      expect(writer.state.lastIndexes[0]).toBe(last);
      // Once others leave some room, what is removed makes room inside the file.
      await rm(others);
      for (let index = 1; index <= last; index += 20) {
        const removals = Array.from({ length: 20 }, (_, at) => remove('input', index + at));
        if ((await writer.append(...removals)).kind === 'durable') continue;
        await writer.recover();
        index -= 20;
      }
      await writer.write(put('input', last + 1, 100_000));
      expect(messages(await writer.recover())).toEqual([`input ${last + 1}`]);
      // A payload that needs a file of its own is refused, and leaves no part of one.
      expect(await writer.append(put('input', last + 2, 20 * 2 ** 20))).toEqual(full);
      await writer.recover();
      await writer.write(remove('input', last + 1));
    } finally {
      await engine.stop();
    }
  },
);

it.runIf(isRoot)('has no room for new messages while the reserve is still there', async () => {
  const engine = await smallDisk(8 * 2 ** 20);
  try {
    expect(engine.hasRoom()).toBe(true);
    const writer = new Writer(engine);
    let last = 0;
    while (engine.hasRoom()) {
      last++;
      await writer.write(put('input', last, 100_000));
    }
    // From here on the reserve is used, which is what it is for.
    for (let index = 1; index <= last; index++) await writer.write(remove('input', index));
  } finally {
    await engine.stop();
  }
});

it('ends the process with code 70 when the disk fails in any other way', async () => {
  const script = fileURLToPath(new URL('lmdb-writer.ts', import.meta.url));
  // In blocks of 1 KB; a write beyond it fails although the disk has room.
  const limit = 'ulimit -f 700; exec "$0" "$@"';
  const options = ['--conditions=source', '--import', 'tsx'];
  const child = spawn(
    'bash',
    ['-c', limit, process.execPath, ...options, script, join(folder, 'data'), 'write'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr.resume();
  const [code] = await once(child, 'exit');
  expect(code).toBe(70);
});
