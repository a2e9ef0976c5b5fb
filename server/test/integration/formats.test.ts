// Data folders of every format ever written are read, gone on with, and checked: formats/N is a
// folder as the Sluice of format N left it, formats/N.txt what is in it. To add one, fill a folder
// with `fillSmallFolder` before the format changes.

import { chmod, cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backUpStopped } from '../../src/engine/lmdb/backup/backup.ts';
import { restore } from '../../src/engine/lmdb/backup/restore.ts';
import { formatVersion } from '../../src/engine/lmdb/format.ts';
import { verifyFolder } from '../../src/engine/lmdb/health.ts';
import { put, remove, Writer } from '../conformance/world.ts';
import { contentOf, plainEngine, smallService } from './small-folder.ts';

const kept = fileURLToPath(new URL('formats', import.meta.url));

let base: string;
let data: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'sluice-'));
  data = join(base, 'data');
});
afterEach(() => rm(base, { recursive: true, force: true }));

async function content(folder: string): Promise<readonly string[]> {
  const engine = plainEngine(folder);
  await engine.start();
  const lines = await contentOf(engine);
  await engine.stop();
  return lines;
}

async function asKept(version: number): Promise<readonly string[]> {
  return (await readFile(join(kept, `${version}.txt`), 'utf8')).trimEnd().split('\n');
}

const versions = Array.from({ length: formatVersion }, (_, at) => at + 1);

describe.each(versions)('a data folder of format %i', (version) => {
  beforeEach(async () => {
    await cp(join(kept, String(version)), data, { recursive: true });
    await chmod(data, 0o700);
  });

  it('is read as it is, and checked without a change', async () => {
    const files = await readdir(data);
    expect(await verifyFolder(data, () => undefined)).toMatchObject({
      services: 1,
      payloadFiles: 1,
      damageCount: 0,
    });
    expect(await readdir(data)).toEqual(files);
    const text = await readFile(join(data, 'FORMAT'), 'utf8');
    expect(text).toBe(`sluice data folder\nformat ${version}\n`);
    expect(await content(data)).toEqual(await asKept(version));
  });

  it('is gone on with, and an older Sluice is told to leave it alone', async () => {
    const engine = plainEngine(data);
    await engine.start();
    const writer = new Writer(engine, smallService);
    await writer.recover();
    await writer.write(remove('input', 8), put('input', 15, 30));
    await engine.stop();
    const text = await readFile(join(data, 'FORMAT'), 'utf8');
    expect(text).toBe(`sluice data folder\nformat ${formatVersion}\n`);
    const lines = await content(data);
    const was = (await asKept(version)).filter((line) => line.startsWith('row: {"kind":"message"'));
    const gone = was.filter((line) => !lines.includes(line));
    expect(gone).toEqual([expect.stringContaining('"index":8')]);
    expect(lines).toContainEqual(expect.stringContaining('input 15: [{"meta"'));
    expect(await verifyFolder(data, () => undefined)).toMatchObject({ damageCount: 0 });
  });

  it('is backed up and restored', async () => {
    const backup = join(base, 'backup');
    await backUpStopped({ folder: data, target: backup, sluice: '1', now: 0 });
    const folder = join(base, 'restored');
    await restore({ backup, folder, replace: false, now: 0 });
    const withoutState = (lines: readonly string[]): readonly string[] => {
      return lines.filter((line) => !line.startsWith('row: {"kind":"state"'));
    };
    expect(withoutState(await content(folder))).toEqual(withoutState(await asKept(version)));
  });
});
