// The models that lie here: fetched once for all, compared with their source at each launch, kept
// while somebody holds them, also over a restart, and taken for whole only when they are.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bytesOf } from './blobs-world.ts';
import { ModelWorld, mebibyte, Origin } from './models-world.ts';

const bytes = bytesOf(mebibyte);
let world: ModelWorld;
let origin: Origin;

beforeEach(async () => {
  world = await ModelWorld.open();
  origin = await Origin.open(bytes);
});
afterEach(async () => {
  await world.close();
  await origin.close();
});

/** The first byte of what lies at a path. */
function firstOf(path: string): number | undefined {
  return readFileSync(path)[0];
}

/** Another file lies at the origin from now on. */
function change(seed: number): void {
  origin.bytes = bytesOf(mebibyte, seed);
  origin.etag = `"${seed}"`;
}

it('asks at each launch for something newer, and keeps both while both are held', async () => {
  const address = `${origin.url}/m.onnx`;
  const first = await world.hold(address);
  const again = await world.hold(address);
  expect(again.path).toBe(first.path);
  change(2);
  const second = await world.hold(address);
  expect(second.path).not.toBe(first.path);
  expect(basename(second.path)).toBe('m.onnx');
  expect(firstOf(second.path)).toBe(origin.bytes[0]);
  expect(firstOf(first.path)).toBe(bytes[0]);
  await world.restart();
  expect((await world.hold(address)).path).toBe(second.path);
  expect(origin.asked).toEqual([
    '/m.onnx',
    '/m.onnx unless "one"',
    '/m.onnx unless "one"',
    '/m.onnx unless "2"',
  ]);
});

it('asks nobody when the checksum says what is wanted, from wherever it came', async () => {
  const checksum = origin.sum;
  const first = await world.hold(`${origin.url}/old/m.onnx`, { checksum });
  const second = await world.hold(`${origin.url}/new/m.onnx?signed=1`, { checksum });
  expect(second.path).toBe(first.path);
  expect(origin.asked).toEqual(['/old/m.onnx']);
});

it('starts with what is here while its source is silent, unless it knows better', async () => {
  const address = `${origin.url}/m.onnx`;
  const first = await world.hold(address);
  origin.answer = (_request, response) => response.writeHead(503).end();
  expect((await world.hold(address)).path).toBe(first.path);
  expect(world.warnings).toEqual(['model not compared with its source']);
  change(2);
  let isFirst = true;
  origin.answer = (request, response) => {
    if (isFirst) origin.cut(request, response, 1000);
    else response.writeHead(503).end();
    isFirst = false;
  };
  await expect(world.hold(address)).rejects.toMatchObject({
    isFinal: false,
    message: expect.stringContaining('answered 503; tried'),
  });
  origin.answer = (_request, response) => response.writeHead(404).end();
  await expect(world.hold(address)).rejects.toMatchObject({ isFinal: true });
});

it('makes room by what was not used for longest and nobody holds', async () => {
  await world.restart({ bytesMax: 3.5 * mebibyte });
  const hold = async (name: string): Promise<{ path: string; release: () => void }> => {
    change(name.charCodeAt(0));
    return world.hold(`${origin.url}/${name}`);
  };
  const a = await hold('a');
  const b = await hold('b');
  const c = await hold('c');
  b.release();
  const again = await hold('a');
  again.release();
  a.release();
  c.release();
  const d = await hold('d');
  const there = (): string[] => readdirSync(world.models).map((id) => nameIn(id));
  expect(there().sort()).toEqual(['a', 'c', 'd']);
  const kept = [d, await hold('a'), await hold('c')];
  await expect(hold('e')).rejects.toMatchObject({
    isFinal: false,
    message: expect.stringContaining('models.bytesMax = 3670016'),
  });
  expect(there().sort()).toEqual(['a', 'c', 'd']);
  for (const { release } of kept) release();
  await hold('e');
  expect(there()).toContain('e');
  expect(world.cache.bytes).toBeLessThanOrEqual(3.5 * mebibyte);
});

it('leaves the disk what it has to leave free, and gives up others for that too', async () => {
  const { release } = await world.hold(`${origin.url}/a`);
  release();
  await world.restart({ reserveBytes: 2 ** 60 });
  await expect(world.hold(`${origin.url}/b`)).rejects.toMatchObject({
    isFinal: false,
    message: expect.stringMatching(/the disk .* has no room for 1\.0 MB .* MB stay free/),
  });
  expect(readdirSync(world.models)).toEqual([]);
});

it('fetches four at a time, and the fifth when one of them is done or given up', async () => {
  const open: (() => void)[] = [];
  origin.answer = (request, response) => {
    open.push(() => origin.serve(request, response));
  };
  const first = new AbortController();
  const given = world.hold(`${origin.url}/0`, { signal: first.signal });
  const rest = ['1', '2', '3', '4', '5'].map((name) => world.hold(`${origin.url}/${name}`));
  await expect.poll(() => open.length).toBe(4);
  expect(world.progress).toEqual(Array(2).fill('waiting for 4 other models'));
  first.abort(new Error('given up'));
  await expect(given).rejects.toThrow('given up');
  await expect.poll(() => open.length).toBe(5);
  for (const answer of open.splice(0)) answer();
  await expect.poll(() => open.length).toBe(1);
  for (const answer of open.splice(0)) answer();
  expect(new Set((await Promise.all(rest)).map(({ path }) => path)).size).toBe(5);
});

function nameIn(id: string): string {
  return readdirSync(join(world.models, id, 'content'))[0] ?? '';
}

it('holds again what an instance of an earlier server still uses', async () => {
  const { path } = await world.hold(`${origin.url}/a`);
  await world.restart({ bytesMax: 1.5 * mebibyte });
  const again = world.cache.holdAgain(path);
  expect(again?.path).toBe(path);
  change(2);
  await expect(world.hold(`${origin.url}/b`)).rejects.toThrow('models.bytesMax');
  again?.release();
  await world.hold(`${origin.url}/b`);
  expect(world.cache.holdAgain(path)).toBeUndefined();
  expect(world.cache.holdAgain('/etc/passwd')).toBeUndefined();
});

it('takes nothing for a model that a crash has left half done', async () => {
  const first = await world.hold(`${origin.url}/a`);
  const whole = readdirSync(world.models);
  const half = 'f'.repeat(32);
  // Before the last step, in the middle of a removal, and by somebody's hand.
  mkdirSync(join(world.models, `${half}.part`, 'content'), { recursive: true });
  writeFileSync(join(world.models, `${half}.part`, 'content', 'a'), 'half');
  mkdirSync(join(world.models, `${half}-x.gone`));
  mkdirSync(join(world.models, `${half}-y`));
  writeFileSync(join(world.models, `${half}-y`, 'model.json'), '{"format":1,"name":"../../x"}');
  await world.restart();
  expect(readdirSync(world.models)).toEqual(whole);
  expect(world.cache.bytes).toBe(mebibyte);
  // Its bytes were put elsewhere: it is fetched again.
  rmSync(first.path);
  const second = await world.hold(`${origin.url}/a`);
  expect(firstOf(second.path)).toBe(bytes[0]);
});

it('trusts of a part only what was on the disk', async () => {
  const gone = new AbortController();
  origin.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': bytes.length, etag: '"one"' });
    response.write(bytes.subarray(0, 600_000));
  };
  const open = world.hold(`${origin.url}/a`, { signal: gone.signal });
  open.catch(() => undefined);
  await expect.poll(() => world.progress.length).toBeGreaterThan(0);
  gone.abort(new Error('gone'));
  await expect(open).rejects.toThrow('gone');
  await world.restart();
  const [part = ''] = readdirSync(world.models);
  // What a power cut leaves behind the last flush.
  execFileSync('sh', ['-c', `printf garbage >> ${join(world.models, part, 'data')}`]);
  origin.answer = origin.serve.bind(origin);
  const { path } = await world.hold(`${origin.url}/a`);
  expect(readFileSync(path).equals(bytes)).toBe(true);
  expect(origin.asked.at(-1)).toMatch(/^\/a bytes=\d+-$/);
});

it('gives what lies on this machine as it is', async () => {
  const file = join(world.folder, 'my model.pmml');
  writeFileSync(file, bytes);
  expect((await world.hold(file)).path).toBe(file);
  expect((await world.hold(`file://${file.replace(' ', '%20')}`)).path).toBe(file);
  expect((await world.hold(world.folder)).path).toBe(world.folder);
  symlinkSync(file, join(world.folder, 'current'));
  const current = await world.hold(join(world.folder, 'current'), { checksum: origin.sum });
  expect(current.path).toBe(join(world.folder, 'current'));
  const other = `sha256:${'1'.repeat(64)}`;
  const refusals: [string, string | undefined, string][] = [
    [file, other, 'not model_checksum sha256:1111'],
    [world.folder, other, 'is a folder'],
    [join(world.folder, 'nothing'), undefined, 'there is no '],
    ['models/lr.pmml', undefined, 'is relative'],
    ['ftp://example.org/a', undefined, 'begins with ftp:'],
    ['file:relative', undefined, 'there is no'],
    ['https://user:word@example.org/a', undefined, 'must not carry a user name'],
    ['s3://bucket', undefined, 's3://bucket/key'],
    ['s3://bucket/folder/', undefined, 'is a folder'],
    ['oss://bucket/../a', undefined, 'part . or ..'],
    [file, 'md5:00', 'sha256: and 64'],
  ];
  for (const [address, checksum, text] of refusals) {
    const wishes = checksum === undefined ? {} : { checksum };
    await expect(world.hold(address, wishes)).rejects.toMatchObject({
      isFinal: true,
      message: expect.stringContaining(text),
    });
  }
});
