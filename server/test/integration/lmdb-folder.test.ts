// A data folder that is in use, newer, foreign or damaged gets one clear message and is left alone.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { formatVersion } from '../../src/engine/lmdb/format.ts';
import { verifyFolder } from '../../src/engine/lmdb/health.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { group, put, recordOf, remove, Writer } from '../conformance/world.ts';

let folder: string;
let engines: LmdbEngine[];
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  engines = [];
  children = [];
});
afterEach(async () => {
  for (const child of children) await killed(child);
  for (const engine of engines) await engine.stop();
  await rm(folder, { recursive: true, force: true });
});

function engineOn(path: string = folder): LmdbEngine {
  const engine = new LmdbEngine({ folder: path, clock: systemClock, log: silentLog });
  engines.push(engine);
  return engine;
}

/** A folder in which a first life put 2,000 messages, one of them large, and stopped. */
async function filled(): Promise<void> {
  const engine = engineOn();
  await engine.start();
  const writer = new Writer(engine);
  const puts = Array.from({ length: 2000 }, (_, at) => put('input', at + 1, 900));
  await writer.write(group('input', 1), ...puts, put('sink', 1, 300 * 1024));
  await writer.write(remove('input', 1, { record: recordOf(1) }));
  await engine.saveDefinition({ number: 7, name: 'a', definition: '{}' });
  await engine.stop();
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Another process that holds the folder until it is killed. */
async function holder(): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('lmdb-writer.ts', import.meta.url));
  const child = fork(script, [folder, 'hold'], {
    execArgv: ['--conditions=source', '--import', 'tsx'],
  });
  children.push(child);
  await once(child, 'message');
  return child;
}

/** Every file with its content, but for lmdb's table of readers. */
async function snapshot(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && entry.name !== 'lock.mdb') {
      files.set(path, (await readFile(path)).toString('latin1'));
    } else files.set(path, '');
  }
  files.delete(join(folder, 'queue', 'lock.mdb'));
  return files;
}

async function refusal(): Promise<Error & { code?: string }> {
  const before = await snapshot();
  const error = await engineOn()
    .start()
    .then(
      () => new Error('it started'),
      (reason: Error) => reason,
    );
  expect(await snapshot()).toEqual(before);
  return error;
}

describe('a data folder', () => {
  it('is created with access for its owner only', async () => {
    const path = join(folder, 'a', 'b');
    await engineOn(path).start();
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await stat(join(path, 'queue'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(path, 'queue', 'data.mdb'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(path, 'FORMAT'), 'utf8')).toBe(
      `sluice data folder\nformat ${formatVersion}\n`,
    );
  });

  it('is closed to others when it was open and empty', async () => {
    await chmod(folder, 0o755);
    await engineOn().start();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it('may have a path longer than that of a socket', async () => {
    const path = join(folder, 'x'.repeat(120), 'y'.repeat(120));
    await engineOn(path).start();
    await expect(engineOn(path).start()).rejects.toThrow('is in use');
  });

  it('is refused while this process has it open, and free after it stopped', async () => {
    const first = engineOn();
    await first.start();
    await expect(engineOn().start()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('in use by another process'),
    });
    await first.stop();
    await engineOn().start();
  });

  it('is refused while another process has it open, and free once that was killed', async () => {
    const child = await holder();
    const error = await refusal();
    expect(error.message).toContain('in use by another process');
    await killed(child);
    await engineOn().start();
  });

  it('goes to exactly one of many that find a stale lock together', async () => {
    await killed(await holder());
    const starts = Array.from({ length: 8 }, () => engineOn().start());
    const results = await Promise.allSettled(starts);
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(await readdir(folder)).toEqual(['FORMAT', 'lock', 'queue']);
  });

  it('of a newer format is left alone', async () => {
    await filled();
    await writeFile(
      join(folder, 'FORMAT'),
      `sluice data folder\nformat ${formatVersion + 1}\nmore\n`,
    );
    const error = await refusal();
    expect(error).toMatchObject({ code: 'conflict' });
    expect(error.message).toContain(`has format ${formatVersion + 1}, written by a newer Sluice`);
  });

  it('that is none is left alone', async () => {
    await writeFile(join(folder, 'thesis.tex'), 'do not touch');
    const error = await refusal();
    expect(error.message).toContain('is not a data folder of Sluice');
    expect(error.message).toContain('thesis.tex');
  });

  it('with a foreign format file is left alone', async () => {
    await writeFile(join(folder, 'FORMAT'), 'something else');
    expect((await refusal()).message).toContain("is not one of Sluice's");
  });

  it('may be the root of a new file system', async () => {
    await mkdir(join(folder, 'lost+found'));
    await engineOn().start();
  });

  it('starts after a first life that ended before it had a table', async () => {
    const engine = engineOn();
    await engine.start();
    await engine.stop();
    await rm(join(folder, 'queue', 'payloads'), { recursive: true });
    await truncate(join(folder, 'queue', 'data.mdb'));
    await engineOn().start();
    await engines.at(-1)?.stop();
    await rm(join(folder, 'queue'), { recursive: true });
    await engineOn().start();
  });
});

describe('a damaged table', () => {
  const data = (): string => join(folder, 'queue', 'data.mdb');

  async function overwrite(offset: number, bytes: Buffer): Promise<void> {
    const file = await open(data(), 'r+');
    await file.write(bytes, 0, bytes.length, offset);
    await file.close();
  }

  it.each([
    ['cut to half', async () => truncate(data(), Math.floor((await stat(data())).size / 2))],
    ['cut to nothing but its head', () => truncate(data(), 8192)],
    ['cut in its first page', () => truncate(data(), 100)],
    ['without its head', () => overwrite(0, Buffer.alloc(8192))],
    ['with noise for a head', () => overwrite(0, Buffer.alloc(8192, 0xa5))],
    ['with noise from its third page on', () => overwrite(8192, Buffer.alloc(400_000, 0x5a))],
  ])('%s is refused and left alone', async (_how, damage) => {
    await filled();
    await damage();
    const error = await refusal();
    expect(error.message).toMatch(/^The data in .* is damaged \(.+\)\. Nothing was changed;/);
  });
});

describe('verify', () => {
  it('counts what is there and finds nothing wrong', async () => {
    await filled();
    const steps: number[] = [];
    const report = await verifyFolder(folder, ({ done }) => void steps.push(done));
    expect(report).toMatchObject({
      services: 1,
      rows: {
        state: 1,
        group: 1,
        'message input': 1999,
        'message sink': 1,
        record: 1,
        definition: 1,
        file: 1,
      },
      payloadFiles: 1,
      leftoverFiles: 0,
      damages: [],
      damageCount: 0,
    });
    expect(steps.at(-1)).toBe(2005);
  });

  it('names the row whose payload was changed', async () => {
    await filled();
    const path = join(folder, 'queue', 'data.mdb');
    const bytes = await readFile(path);
    // The payload of message 1000 as the builders make it: its index, then one repeated byte.
    const payload = put('input', 1000, 900).message.payload;
    for (let at = bytes.indexOf(payload); at >= 0; at = bytes.indexOf(payload, at + 1)) {
      bytes.writeUInt8(bytes.readUInt8(at + 500) ^ 1, at + 500);
    }
    await writeFile(path, bytes);
    const report = await verifyFolder(folder, () => undefined);
    expect(report.damages).toEqual([
      {
        table: 'message input',
        service: 7,
        index: 1000,
        what: 'The checksum of a payload is wrong.',
      },
    ]);
  });

  it('finds a payload file that is missing, changed or left over', async () => {
    await filled();
    const files = join(folder, 'queue', 'payloads');
    const [name = ''] = await readdir(files);
    await cp(join(files, name), join(files, '99'));
    await truncate(join(files, name), 300 * 1024 - 1);
    const cut = await verifyFolder(folder, () => undefined);
    expect(cut).toMatchObject({ payloadFiles: 2, leftoverFiles: 1, damageCount: 1 });
    expect(cut.damages[0]?.what).toBe('A payload has another size than noted.');
    await unlink(join(files, name));
    const missing = await verifyFolder(folder, () => undefined);
    expect(missing.damages[0]?.what).toContain("can't be read");
    const engine = engineOn();
    await engine.start();
    expect(await readdir(files)).toEqual([]);
  });

  it('says that a folder is in use, or is none', async () => {
    await expect(verifyFolder(join(folder, 'none'), () => undefined)).rejects.toMatchObject({
      code: 'not_found',
    });
    await engineOn().start();
    await expect(verifyFolder(folder, () => undefined)).rejects.toThrow('in use');
  });
});
