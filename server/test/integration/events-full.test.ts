// Events on a disk that is really full: a file system of 1 MB in memory.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EventLog } from '../../src/events/event-log.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

let disk: string;
let isMounted: boolean;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'sluice-events-'));
  isMounted = false;
});
afterEach(() => {
  if (isMounted) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
});

it.runIf(process.getuid?.() === 0)(
  'the disk fills up while events are written: none is lost once there is room',
  async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    isMounted = true;
    const clock = new VirtualClock(new SeededRandom(1));
    const warn = vi.fn();
    const folder = join(disk, 'events');
    const log = new EventLog({ folder, clock, log: { ...silentLog, warn } });
    await log.start();
    const file = join(folder, 'events.ndjson');
    const record = (text: string): void =>
      log.record({ service: 'ocr', kind: 'instance', what: 'ready', text });
    record('the first');
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('the first'));
    const others = join(disk, 'others');
    writeFileSync(others, Buffer.alloc(800 * 1024));
    for (let at = 0; at < 500; at += 1) record(`event ${at} ${'x'.repeat(500)}`);
    await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(1));
    record('while it is full');
    await clock.advance(31_000);
    rmSync(others);
    await vi.waitFor(async () => {
      await clock.advance(31_000);
      expect(readFileSync(file, 'utf8')).toContain('while it is full');
    });
    record('the last');
    await log.stop();
    expect(warn).toHaveBeenCalledTimes(1);
    const again = new EventLog({ folder, clock, log: { ...silentLog, warn } });
    await again.start();
    const texts = again.read({}).map(({ text }) => text.split(' x')[0]);
    await again.stop();
    const events = Array.from({ length: 500 }, (_, at) => `event ${at}`);
    expect(texts).toEqual(['the first', ...events, 'while it is full', 'the last']);
    expect(warn).toHaveBeenCalledTimes(1);
  },
);
