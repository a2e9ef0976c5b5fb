// Models that are archives: unpacked as their makers meant them, and refused with the entry's name
// where they mean no good, before anything lies outside of the model's folder or fills the disk.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bytesOf } from './blobs-world.ts';
import { paxOf, tarOf, zipOf } from './models-archives.ts';
import { ModelWorld, mebibyte, Origin } from './models-world.ts';

const weights = bytesOf(700_001);
let world: ModelWorld;
let origin: Origin;

beforeEach(async () => {
  world = await ModelWorld.open();
  origin = await Origin.open(Buffer.alloc(0));
});
afterEach(async () => {
  await world.close();
  await origin.close();
});

/** A folder such as people pack. */
function packed(): string {
  const folder = join(world.folder, 'made');
  mkdirSync(join(folder, 'model', 'a'.repeat(120), 'b'.repeat(120)), { recursive: true });
  mkdirSync(join(folder, 'model', 'empty'));
  writeFileSync(join(folder, 'model', 'weights.bin'), weights);
  writeFileSync(join(folder, 'model', 'über uns.txt'), 'ü');
  writeFileSync(join(folder, 'model', 'a'.repeat(120), 'b'.repeat(120), 'deep'), 'deep');
  writeFileSync(join(folder, 'model', 'nothing'), '');
  chmodSync(join(folder, 'model', 'nothing'), 0o6777);
  return folder;
}

function expectUnpacked(path: string): void {
  const model = join(path, 'model');
  const names = ['a'.repeat(120), 'empty', 'nothing', 'weights.bin', 'über uns.txt'];
  expect(readdirSync(model).sort()).toEqual(names.sort());
  expect(readFileSync(join(model, 'weights.bin')).equals(weights)).toBe(true);
  expect(readFileSync(join(model, 'über uns.txt'), 'utf8')).toBe('ü');
  const deep = join(model, 'a'.repeat(120), 'b'.repeat(120), 'deep');
  expect(readFileSync(deep, 'utf8')).toBe('deep');
  // What was asked for of rights is not given.
  expect(statSync(join(model, 'nothing')).mode & 0o7777).toBe(0o600);
}

/** What is said of the archive at this address. */
async function refusal(name: string, bytes: Buffer): Promise<string> {
  origin.bytes = bytes;
  origin.etag = `"${createHash('sha1').update(bytes).digest('hex')}"`;
  try {
    const { path } = await world.hold(`${origin.url}/${name}`);
    return `unpacked to ${path}`;
  } catch (error) {
    expect(error).toMatchObject({ isFinal: true });
    return error instanceof Error ? error.message : '';
  }
}

it('unpacks what tar and gzip make, in both dialects', async () => {
  const folder = packed();
  for (const [name, how] of [
    ['gnu.tar', ['--format=gnu', '-cf']],
    ['posix.tgz', ['--format=posix', '-czf']],
    ['posix.tar.gz', ['--format=posix', '-czf']],
  ] as const) {
    execFileSync('tar', [...how, join(world.folder, name), '-C', folder, 'model']);
    origin.bytes = readFileSync(join(world.folder, name));
    const { path } = await world.hold(`${origin.url}/${name}`);
    expectUnpacked(path);
    expect(path.endsWith(`/${name.split('.')[0]}`)).toBe(true);
  }
  expect(world.progress).toContainEqual(expect.stringMatching(/^unpacking, \d+ entries, 0\.7 MB$/));
});

it('unpacks what another program zips, with its large form too', async () => {
  const folder = packed();
  const zip = join(world.folder, 'made.zip');
  const program = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as made:
    for folder, folders, files in os.walk('model'):
        made.write(folder)
        for name in files:
            with made.open(os.path.join(folder, name), 'w', force_zip64=True) as entry:
                entry.write(open(os.path.join(folder, name), 'rb').read())
`;
  execFileSync('python3', ['-c', program, zip], { cwd: folder });
  origin.bytes = readFileSync(zip);
  const { path } = await world.hold(`${origin.url}/made.zip`);
  expectUnpacked(path);
});

it('unpacks an archive of this machine, once as long as it does not change', async () => {
  const folder = packed();
  const tar = join(world.folder, 'local.tar');
  execFileSync('tar', ['-cf', tar, '-C', folder, 'model']);
  const first = await world.hold(tar);
  expectUnpacked(first.path);
  expect((await world.hold(`file://${tar}`)).path).toBe(first.path);
  writeFileSync(tar, tarOf([{ name: 'other', content: Buffer.from('new') }]));
  const second = await world.hold(tar);
  expect(readdirSync(second.path)).toEqual(['other']);
  expectUnpacked(first.path);
});

it('lets no entry out of the folder', async () => {
  const file = Buffer.from('x');
  const names: [string, string][] = [
    ['../evil', 'leads out of its folder'],
    ['a/../../evil', 'leads out of its folder'],
    ['/etc/evil', 'has an absolute path'],
    ['C:\\evil', 'has a backslash'],
    ['c:evil', 'has an absolute path'],
    ['..\\evil', 'has a backslash'],
    [`${'d/'.repeat(65)}f`, 'lies more than 64 folders deep'],
    ['n'.repeat(256), 'has too long a name'],
  ];
  for (const [name, text] of names) {
    expect(await refusal('a.zip', zipOf([{ name, content: file }]))).toContain(text);
    const long = [paxOf({ path: name }), { name: 'short', content: file }];
    expect(await refusal('a.tar', tarOf(long))).toContain(text);
  }
  expect(await refusal('b.zip', zipOf([{ name: 'a\0b', content: file }]))).toContain('zero byte');
  expect(readdirSync(world.folder)).toEqual(['models']);
  expect(await world.files()).toEqual([]);
});

it('makes no links, devices and pipes', async () => {
  const types: [string, string][] = [
    ['1', 'a link'],
    ['2', 'a symbolic link'],
    ['3', 'a device'],
    ['4', 'a device'],
    ['6', 'a pipe'],
    ['S', 'a sparse file'],
    ['Z', 'of the unknown type "Z"'],
  ];
  for (const [type, text] of types) {
    const tar = tarOf([{ name: 'way/out', type, link: '/etc/passwd' }]);
    expect(await refusal('a.tar', tar)).toContain(`its entry "way/out" is ${text}`);
  }
  const sparse = tarOf([paxOf({ 'GNU.sparse.major': '1' }), { name: 'holes' }]);
  expect(await refusal('b.tar', sparse)).toContain('"holes" is a sparse file');
  const modes: [number, string][] = [
    [0o120777, 'a symbolic link'],
    [0o020666, 'neither a file nor a folder'],
    [0o010666, 'neither a file nor a folder'],
  ];
  for (const [mode, text] of modes) {
    const zip = zipOf([{ name: 'out', content: Buffer.from('/etc'), mode }]);
    expect(await refusal('a.zip', zip)).toContain(`its entry "out" is ${text}`);
  }
});

it('ends a bomb long before it is unpacked', async () => {
  const zeros = Buffer.alloc(70 * mebibyte);
  const bomb = gzipSync(tarOf([{ name: 'zeros', content: zeros }]), { level: 1 });
  await world.restart({ modelBytesMax: 1024 * mebibyte, bytesMax: 2048 * mebibyte });
  expect(await refusal('a.tgz', bomb)).toContain('over 200 times its size: it looks like a bomb');
  // One that lies about what it holds, and one whose entries share their data.
  const liar = zipOf([{ name: 'small', content: zeros.subarray(0, mebibyte), size: 10 }]);
  expect(await refusal('b.zip', liar)).toContain('"small" has more bytes than it says');
  const first = { name: '0', content: zeros.subarray(0, 16 * mebibyte) };
  const shared = [first, ...['1', '2', '3', '4'].map((name) => ({ ...first, name, at: 0 }))];
  expect(await refusal('c.zip', zipOf(shared))).toContain('looks like a bomb');
  await world.restart({ modelBytesMax: 16 * mebibyte });
  expect(await refusal('d.tgz', bomb)).toContain('models.modelBytesMax = 16777216');
  const entry = tarOf([{ name: 'd/', type: '5' }]).subarray(0, 512);
  const many = Buffer.concat(Array.from({ length: 100_001 }, () => entry));
  const tgz = gzipSync(many, { level: 1 });
  expect(await refusal('e.tgz', tgz)).toContain('more than 100000 entries');
  expect(world.cache.bytes).toBe(0);
  expect(await world.files()).toEqual([]);
});

it('refuses what is damaged, cut, packed otherwise or no archive at all', async () => {
  const file = { name: 'f', content: weights };
  const tar = tarOf([file]);
  const zip = zipOf([file]);
  const cases: [string, Buffer, string][] = [
    ['a.tar', tar.subarray(0, 5000), '"f" is cut short'],
    ['b.tar', Buffer.alloc(2048, 7), 'no tar archive'],
    ['c.tar', Buffer.alloc(2048), 'it is empty'],
    ['d.tar', tarOf([file, file]), '"f" stands there twice'],
    ['e.tar', tarOf([file, { name: 'f/g' }]), '"f/g" stands there twice'],
    ['f.tar', tarOf([{ name: 'f', size: 2 ** 60 }]), 'has no size'],
    ['g.tar', tarOf([{ name: 'x', type: 'x', size: 2 ** 40 }]), 'header that is too long'],
    ['h.tgz', gzipSync(tar).subarray(0, 300_000), 'the archive is damaged'],
    ['i.tgz', Buffer.from('no gzip'), 'the archive is damaged'],
    ['j.zip', zip.subarray(0, zip.length - 10), 'no zip archive'],
    ['k.zip', Buffer.from('<html>not found</html>'), 'no zip archive'],
    ['l.zip', zipOf([{ ...file, crc: 1 }]), 'the checksum of its entry "f" is wrong'],
    ['m.zip', zipOf([{ ...file, flags: 1 }]), 'encrypted'],
    ['n.zip', zipOf([{ ...file, method: 14 }]), 'packed by method 14'],
    ['o.zip', zipOf([{ ...file, at: 17 }]), 'the archive is damaged'],
    ['p.zip', zipOf([{ ...file, size: weights.length + 1 }]), '"f" is cut short'],
    ['q.zip', zipOf([]), 'it is empty'],
  ];
  for (const [name, bytes, text] of cases) expect(await refusal(name, bytes)).toContain(text);
  await expect(world.hold(`${origin.url}/a.tar.xz`)).rejects.toThrow('are not unpacked');
  // Found out once: it is not fetched again to be found out again.
  origin.asked.length = 0;
  expect(await refusal('m.zip', zipOf([{ ...file, flags: 1 }]))).toContain('encrypted');
  expect(origin.asked).toEqual([expect.stringMatching(/^\/m.zip unless /)]);
});
