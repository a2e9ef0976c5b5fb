// Backups of a data folder and data folders from backups: whole or not there at all.

import { execFileSync } from 'node:child_process';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
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
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backup, backUpStopped } from '../../src/engine/lmdb/backup/backup.ts';
import { restore } from '../../src/engine/lmdb/backup/restore.ts';
import type { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { verifyFolder } from '../../src/engine/lmdb/health.ts';
import { Table } from '../../src/engine/lmdb/table.ts';
import type { TellProgress } from '../../src/engine/lmdb/verify.ts';
import type { ServiceState } from '../../src/queue/transition.ts';
import { put, recovered, remove, rowsOf, Writer } from '../conformance/world.ts';
import { contentOf, fillSmallFolder, plainEngine, smallService } from './small-folder.ts';

const now = Date.UTC(2026, 10, 22, 12);
const nothing: TellProgress = () => undefined;

let base: string;
let data: string;
let target: string;
let engines: LmdbEngine[];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'sluice-'));
  data = join(base, 'data');
  target = join(base, 'backup');
  engines = [];
});
afterEach(async () => {
  for (const engine of engines) await engine.stop();
  await rm(base, { recursive: true, force: true });
});

async function opened(folder: string): Promise<LmdbEngine> {
  const engine = plainEngine(folder);
  engines.push(engine);
  await engine.start();
  return engine;
}

/** A stopped data folder with an admin token, and its backup. */
async function backedUp(): Promise<Backup> {
  await fillSmallFolder(data);
  await mkdir(join(data, 'admin'), { mode: 0o700 });
  await writeFile(join(data, 'admin', 'token'), 'the-token-of-the-test\n', { mode: 0o600 });
  await mkdir(join(data, 'instances'));
  await writeFile(join(data, 'instances', 'log'), 'chatter');
  return backUpStopped({ folder: data, target, sluice: '1.2.3', now });
}

function restoreTo(folder: string, more: { replace?: boolean; signal?: AbortSignal } = {}) {
  return restore({ backup: target, folder, replace: false, now, ...more });
}

/** Everything that can be read of a folder but the state, which a restore changes. */
async function content(folder: string): Promise<readonly string[]> {
  const engine = plainEngine(folder);
  await engine.start();
  const lines = await contentOf(engine);
  await engine.stop();
  return lines.filter((line) => !line.startsWith('row: {"kind":"state"'));
}

async function stateOf(folder: string): Promise<ServiceState | undefined> {
  const engine = plainEngine(folder);
  await engine.start();
  const rows = await recovered(engine, smallService);
  await engine.stop();
  return rowsOf(rows, 'state')[0]?.state;
}

/** Every file and folder below `folder`, but for sockets and lmdb's table of readers. */
async function listed(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries.filter((name) => !name.endsWith('lock.mdb') && name !== 'lock').sort();
}

describe('a backup', () => {
  it('holds everything but logs, for its owner only, and passes its own check', async () => {
    const backup = await backedUp();
    expect(backup).toMatchObject({
      path: target,
      madeAt: '2026-11-22T12:00:00.000Z',
      services: 1,
      rows: { 'message input': 10, 'message sink': 2, 'message inputRear': 1, result: 1 },
      files: 3,
    });
    expect(await listed(target)).toEqual([
      'SHA256SUMS',
      'admin',
      'admin/token',
      'backup.json',
      'queue',
      'queue/data.mdb',
      'queue/payloads',
      'queue/payloads/1',
    ]);
    for (const name of await listed(target)) {
      const { mode } = await stat(join(target, name));
      expect(mode & 0o077, name).toBe(0);
    }
    expect((await stat(target)).mode & 0o777).toBe(0o700);
    expect(await readdir(base)).toEqual(['backup', 'data']);
    expect(await verifyFolder(target, nothing)).toMatchObject({ services: 1, damageCount: 0 });
    // The check left no trace, and a plain tool of the system comes to the same.
    execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: target });
    expect(await readdir(join(target, 'queue'))).toEqual(['data.mdb', 'payloads']);
  });

  it('overwrites nothing, and leaves nothing behind when it is refused', async () => {
    await fillSmallFolder(data);
    const make = (path: string): Promise<Backup> =>
      backUpStopped({ folder: data, target: path, sluice: '1', now });
    await mkdir(target);
    await writeFile(join(target, 'thesis.tex'), 'do not touch');
    await expect(make(target)).rejects.toThrow('is there already; a backup overwrites nothing');
    await expect(make(join(target, 'thesis.tex'))).rejects.toThrow('is there already');
    await expect(make(join(base, 'no', 'where'))).rejects.toThrow('There is no folder');
    await expect(make(join(data, 'inside'))).rejects.toThrow('would lie inside of the data folder');
    await expect(make(join(data, 'queue', 'inside'))).rejects.toThrow('would lie inside');
    expect(await listed(base)).not.toContainEqual(expect.stringContaining('unfinished'));
    await mkdir(join(base, 'empty'));
    await make(join(base, 'empty'));
    expect(await readdir(join(base, 'empty'))).toContain('backup.json');
  });

  it('is not made of what is no data folder, in use or damaged', async () => {
    const make = (folder: string): Promise<Backup> =>
      backUpStopped({ folder, target, sluice: '1', now });
    await expect(make(join(base, 'none'))).rejects.toMatchObject({ code: 'not_found' });
    await mkdir(join(base, 'empty'));
    await expect(make(join(base, 'empty'))).rejects.toMatchObject({ code: 'not_found' });
    expect(await readdir(join(base, 'empty'))).toEqual([]);
    await fillSmallFolder(data);
    const engine = await opened(data);
    await expect(make(data)).rejects.toThrow('in use by another process');
    await engine.stop();
    await truncate(join(data, 'queue', 'payloads', '1'), 1000);
    await expect(make(data)).rejects.toThrow(/is damaged .*no backup was made/);
    expect((await readdir(base)).sort()).toEqual(['data', 'empty']);
  });

  it('is given up when it is aborted, with nothing left', async () => {
    await fillSmallFolder(data);
    const stop = new AbortController();
    const tell: TellProgress = () => stop.abort(new Error('enough'));
    const options = { folder: data, target, sluice: '1', now, signal: stop.signal, tell };
    await expect(backUpStopped(options)).rejects.toThrow('enough');
    expect(await readdir(base)).toEqual(['data']);
  });

  it('is no data folder: a server says what to do with it', async () => {
    await backedUp();
    await expect(opened(target)).rejects.toThrow(/is a backup\. .*sluice restore/);
    execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: target });
  });
});

describe('a restore', () => {
  it('brings everything back, the admin token too', async () => {
    await backedUp();
    const folder = join(base, 'new', 'data');
    const restored = await restoreTo(folder);
    expect(restored).toMatchObject({ services: 1, files: 3, replaced: undefined });
    expect(await content(folder)).toEqual(await content(data));
    expect(await readFile(join(folder, 'admin', 'token'), 'utf8')).toBe('the-token-of-the-test\n');
    expect(await readFile(join(folder, 'FORMAT'), 'utf8')).toBe('sluice data folder\nformat 3\n');
    expect((await readdir(folder)).sort()).toEqual(['FORMAT', 'admin', 'queue']);
    expect(await verifyFolder(folder, nothing)).toMatchObject({ services: 1, damageCount: 0 });
  });

  it('brings back the secrets of callbacks, which receivers rely on, not their log', async () => {
    await backedUp();
    const service = join(data, 'callbacks', 'group.ocr');
    await mkdir(service, { recursive: true, mode: 0o700 });
    await writeFile(join(service, 'keys.json'), '{"secret":"whsec_"}', { mode: 0o600 });
    await writeFile(join(service, 'attempts.ndjson'), '{"index":1}\n', { mode: 0o600 });
    const second = join(base, 'second');
    await backUpStopped({ folder: data, target: second, sluice: '1.2.3', now });
    const folder = join(base, 'new', 'data');
    await restore({ backup: second, folder, replace: false, now });
    const kept = join(folder, 'callbacks', 'group.ocr');
    expect(await readdir(kept)).toEqual(['keys.json']);
    expect(await readFile(join(kept, 'keys.json'), 'utf8')).toBe('{"secret":"whsec_"}');
    expect((await stat(join(kept, 'keys.json'))).mode & 0o777).toBe(0o600);
  });

  it('goes on with epochs and indexes that no life before it can have reached', async () => {
    await backedUp();
    const before = await stateOf(data);
    const lives: (ServiceState | undefined)[] = [];
    for (const name of ['one', 'two']) {
      await restoreTo(join(base, name));
      lives.push(await stateOf(join(base, name)));
    }
    for (const life of lives) {
      expect(life?.epoch).toBeGreaterThanOrEqual((before?.epoch ?? 0) + 4096);
      expect(life?.lastIndexes).toHaveLength(4);
      for (const index of life?.lastIndexes ?? []) expect(index).toBeGreaterThanOrEqual(2 ** 40);
    }
    // Two lives that begin with the same backup differ from each other, too.
    expect(lives[0]?.epoch).not.toBe(lives[1]?.epoch);
    expect(lives[0]?.lastIndexes).not.toEqual(lives[1]?.lastIndexes);
  });

  it('replaces data only when it is told to, and keeps them', async () => {
    await backedUp();
    const engine = await opened(data);
    const writer = new Writer(engine, smallService);
    await writer.recover();
    await writer.write(remove('input', 7), put('input', 15));
    await engine.stop();
    const later = await content(data);
    await expect(restoreTo(data)).rejects.toThrow(/holds data of Sluice\. .* with --force/);
    expect(await content(data)).toEqual(later);
    const { replaced = '' } = await restoreTo(data, { replace: true });
    expect(await content(data)).not.toEqual(later);
    expect(replaced).toBe(join(data, 'replaced-2026-11-22T12-00-00.000Z'));
    expect(await readdir(join(data, 'instances'))).toEqual(['log']);
    await writeFile(join(replaced, 'FORMAT'), await readFile(join(data, 'FORMAT')));
    expect(await content(replaced)).toEqual(later);
  });

  it('is refused for a folder that is in use, and for one that is not Sluice\u2019s', async () => {
    await backedUp();
    const engine = await opened(data);
    await expect(restoreTo(data, { replace: true })).rejects.toThrow('in use by another process');
    await engine.stop();
    const foreign = join(base, 'foreign');
    await mkdir(foreign);
    await writeFile(join(foreign, 'thesis.tex'), 'do not touch');
    await expect(restoreTo(foreign, { replace: true })).rejects.toThrow('not a data folder');
    expect(await readdir(foreign)).toEqual(['thesis.tex']);
  });

  it('of what is no backup, or a newer one, says so', async () => {
    await fillSmallFolder(data);
    const folder = join(base, 'new');
    const from = (backup: string) => restore({ backup, folder, replace: false, now });
    await expect(from(join(base, 'none'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(from(data)).rejects.toThrow('is not a backup: it has no file backup.json');
    await backUpStopped({ folder: data, target, sluice: '1', now });
    const about = await readFile(join(target, 'backup.json'), 'utf8');
    await writeFile(join(target, 'backup.json'), about.replace('"version": 1', '"version": 2'));
    await expect(from(target)).rejects.toThrow('a backup of version 2, written by a newer Sluice');
    await writeFile(join(target, 'backup.json'), about.replace('"format": 3', '"format": 4'));
    await expect(from(target)).rejects.toThrow('is damaged: backup.json is not what it was');
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  });

  it('that fails leaves an empty folder empty and a full one full', async () => {
    await backedUp();
    const before = await content(data);
    await truncate(join(target, 'queue', 'payloads', '1'), 1000);
    const folder = join(base, 'new');
    await mkdir(folder);
    for (const into of [folder, data]) {
      await expect(restoreTo(into, { replace: true })).rejects.toThrow(
        'is damaged: the file queue/payloads/1 is not what it was',
      );
    }
    expect(await readdir(folder)).toEqual([]);
    expect(await content(data)).toEqual(before);
    const aborted = AbortSignal.abort(new Error('enough'));
    await expect(restoreTo(folder, { signal: aborted })).rejects.toThrow('enough');
    expect(await readdir(folder)).toEqual([]);
  });

  it('that ended amid the renames keeps servers away until it is done again', async () => {
    await backedUp();
    const folder = join(base, 'new');
    await restoreTo(folder);
    // As a power cut leaves it: marked, one part in place, the other not yet.
    await writeFile(join(folder, 'FORMAT'), 'sluice data folder\nrestoring\n');
    await rm(join(folder, 'admin'), { recursive: true });
    await mkdir(join(folder, 'restoring'));
    await expect(opened(folder)).rejects.toThrow(/restore .* was not finished/);
    await expect(verifyFolder(folder, nothing)).rejects.toThrow('was not finished');
    const { replaced } = await restoreTo(folder);
    expect(replaced).toBeDefined();
    expect(await content(folder)).toEqual(await content(data));
    expect(await readdir(folder)).not.toContain('restoring');
  });
});

describe.runIf(process.getuid?.() === 0)('a disk that is too small', () => {
  const disk = (): string => join(base, 'disk');

  async function mount(bytes: number): Promise<void> {
    await mkdir(disk());
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', disk()]);
  }
  afterEach(() => execFileSync('umount', [disk()]));

  it('is refused before anything is copied', async () => {
    await backedUp();
    await mount(128 * 1024);
    const path = join(disk(), 'backup');
    const made = backUpStopped({ folder: data, target: path, sluice: '1', now });
    await expect(made).rejects.toMatchObject({ code: 'disk_full' });
    await expect(restoreTo(disk())).rejects.toMatchObject({ code: 'disk_full' });
    expect(await readdir(disk())).toEqual([]);
  });

  it('is left empty when it gets full in the middle', async () => {
    await backedUp();
    const table = new Table({ folder: join(data, 'queue'), readOnly: true });
    const { fileBytes, freeBytes } = table.space();
    await table.close();
    // Enough for the data, but not for the two files that say what they are.
    const payload = (await stat(join(data, 'queue', 'payloads', '1'))).size;
    await mount(fileBytes - freeBytes + payload);
    const path = join(disk(), 'backup');
    const made = backUpStopped({ folder: data, target: path, sluice: '1', now });
    await expect(made).rejects.toMatchObject({
      code: 'disk_full',
      message: expect.not.stringContaining('are needed'),
    });
    expect(await readdir(disk())).toEqual([]);
  });
});

describe('a damaged backup', () => {
  it.each([
    ['a table that was cut', 'queue/data.mdb', (path: string) => truncate(path, 40_000)],
    ['a payload file that is missing', 'queue/payloads/1', (path: string) => unlink(path)],
    ['a token that is missing', 'admin/token', (path: string) => unlink(path)],
    ['a list of files that was cut', 'SHA256SUMS', (path: string) => truncate(path, 200)],
    ['a list of files with one line less', 'SHA256SUMS', dropLine],
    ['a description that was cut', 'backup.json', (path: string) => truncate(path, 50)],
    ['a name that leads out of it', 'SHA256SUMS', leadOut],
  ])('with %s is refused by verify and by restore', async (_how, name, damage) => {
    await backedUp();
    await damage(join(target, name));
    await expect(verifyFolder(target, nothing)).rejects.toThrow(/The backup .* is damaged: /);
    await expect(restoreTo(join(base, 'new'))).rejects.toThrow(/The backup .* is damaged: /);
  });

  it('is found by one flipped bit in any of its files', async () => {
    await backedUp();
    for (const name of ['SHA256SUMS', 'backup.json', 'admin/token', 'queue/payloads/1']) {
      const path = join(target, name);
      const bytes = await readFile(path);
      const at = Math.floor(bytes.length / 2);
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 4;
      await writeFile(path, flipped);
      await expect(verifyFolder(target, nothing), name).rejects.toMatchObject({ code: 'conflict' });
      await writeFile(path, bytes);
    }
    expect(await verifyFolder(target, nothing)).toMatchObject({ damageCount: 0 });
  });

  async function dropLine(path: string): Promise<void> {
    const lines = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, lines.filter((line) => !line.endsWith('admin/token')).join('\n'));
  }

  async function leadOut(path: string): Promise<void> {
    const text = await readFile(path, 'utf8');
    await cp(join(target, 'admin', 'token'), join(base, 'token'));
    await writeFile(path, text.replace('admin/token', '../token'));
    await chmod(path, 0o600);
  }
});
