// Submitting a folder of files: every file is one request however often the command is run and
// broken off, results have the names of the files, and failures are told.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  cut,
  openRequestServer,
  type RequestServer,
  refuse,
} from '../../../sdk/test/request-server.ts';
import { program } from '../../src/cli/main.ts';
import { openSurroundings } from './cli-world.ts';

let server: RequestServer;
let folder: string;
let out: string;

beforeEach(async () => {
  server = await openRequestServer();
  server.model = (body) => ({ state: 'succeeded', body: `read: ${body}` });
  folder = mkdtempSync(join(tmpdir(), 'sluice-submit-'));
  out = join(folder, 'results');
  write({ 'a.txt': 'one', 'b.json': '{"n": 2}', 'deep/c.png': 'three', '.hidden': 'x' });
});

afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.close();
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

interface Run {
  readonly stdout: string;
  readonly stderr: string;
  readonly error: unknown;
}

async function submit(args: readonly string[], surroundings = openSurroundings()): Promise<Run> {
  const words = ['--url', server.url, '--token', 'x', 'submit', 'ocr', ...args];
  const root = await program(surroundings.context, 'submit');
  const error = await root.parseAsync(words, { from: 'user' }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { stdout: surroundings.stdout(), stderr: surroundings.stderr(), error };
}

/** The files of the results by their names. */
function results(): Record<string, string> {
  const files = readdirSync(out, { recursive: true, withFileTypes: true });
  const shown = files.filter((file) => file.isFile() && !file.name.startsWith('.'));
  const entries = shown.map((file): [string, string] => {
    const path = join(file.parentPath, file.name);
    return [path.slice(out.length + 1), readFileSync(path, 'utf8')];
  });
  return Object.fromEntries(entries.sort());
}

test('gives each file a request and its result a file of that name', async () => {
  const { stdout, stderr, error } = await submit([folder, '--out', out]);
  expect(error).toBeUndefined();
  expect(results()).toEqual({
    'a.txt.txt': 'read: one',
    'b.json.txt': 'read: {"n": 2}',
    'deep/c.png.txt': 'read: three',
  });
  const lines = stdout.trim().split('\n').sort();
  expect(lines.map((line) => line.replace(/\d+-0+/, 'ID'))).toEqual([
    'a.txt\tID\tdone\ta.txt.txt',
    'b.json\tID\tdone\tb.json.txt',
    'deep/c.png\tID\tdone\tdeep/c.png.txt',
  ]);
  expect(stderr).toMatch(/^3 files: 3 done, in /m);
  const sent = server.calls.filter(({ method }) => method === 'POST');
  expect(sent.map(({ headers }) => headers['content-type']).sort()).toEqual([
    'application/json',
    'image/png',
    'text/plain',
  ]);
});

test('asks for nothing that is done, and for what has changed since', async () => {
  await submit([folder, '--out', out]);
  server.calls.length = 0;
  const again = await submit([folder, '--out', out]);
  expect(again.stderr).toMatch(/^3 files: 3 done before, in /m);
  // The look whether the server is there.
  expect(server.calls).toHaveLength(1);
  write({ 'a.txt': 'another' });
  rmSync(join(out, 'b.json.txt'));
  const third = await submit([folder, '--out', out]);
  expect(third.stderr).toMatch(/^3 files: 2 done, 1 done before, in /m);
  expect(results()).toMatchObject({ 'a.txt.txt': 'read: another', 'b.json.txt': 'read: {"n": 2}' });
  // The file whose result was lost is not worked on again.
  expect(server.accepted).toHaveLength(4);
  await submit([folder, '--out', out, '--run', 'second']);
  expect(server.accepted).toHaveLength(7);
});

test('goes on where it was broken off', async () => {
  server.model = (body) => (body === 'one' ? { state: 'succeeded', body: 'first' } : undefined);
  const surroundings = openSurroundings();
  const running = submit([folder, '--out', out], surroundings);
  await expect.poll(() => server.accepted.length).toBe(3);
  // From then on it is known to be done.
  const ledger = join(out, '.sluice-submit.jsonl');
  await expect
    .poll(() => existsSync(ledger) && readFileSync(ledger, 'utf8'))
    .toContain('a.txt.txt');
  surroundings.interrupt.abort();
  const { stderr, error } = await running;
  expect(error).toMatchObject({ message: 'interrupted' });
  expect(stderr).toContain('the same command goes on from here');
  // Files are read side by side: any of them may have been accepted first.
  const { request } = JSON.parse(readFileSync(ledger, 'utf8'));
  const others = server.accepted.filter(({ id }) => id !== request);
  for (const { id } of others) server.finish(id, { state: 'succeeded', body: 'later' });
  expect((await submit([folder, '--out', out])).stderr).toMatch(/2 done, 1 done before/);
  expect(server.accepted).toHaveLength(3);
  expect(Object.values(results())).toEqual(['first', 'later', 'later']);
});

test('tells what failed, and submits it anew when told to', async () => {
  server.model = (body) => {
    if (body === 'one') return { state: 'succeeded', body: 'good' };
    if (body === 'three') return { state: 'dead' };
    return { state: 'failed', body: 'bad page', modelStatus: 422 };
  };
  const { stdout, error } = await submit([folder, '--out', out]);
  expect(error).toMatchObject({ message: expect.stringContaining('2 of 3 failed') });
  expect(stdout).toMatch(/b\.json\t.*\tfailed\tthe model answered with 422 b\.json\.error\.json/);
  const said = results();
  expect(Object.keys(said)).toEqual(['a.txt.txt', 'b.json.error.json', 'deep/c.png.error.json']);
  expect(JSON.parse(said['b.json.error.json'] ?? '')).toMatchObject({
    input: 'b.json',
    modelStatus: 422,
    text: 'bad page',
  });
  // As it is the same request, it fails again, and nothing is worked on twice.
  expect((await submit([folder, '--out', out])).error).toBeDefined();
  expect(server.accepted).toHaveLength(3);
  server.model = () => ({ state: 'succeeded', body: 'repaired' });
  expect((await submit([folder, '--out', out, '--again'])).error).toBeUndefined();
  expect(server.accepted).toHaveLength(5);
  expect(results()).toEqual({
    'a.txt.txt': 'good',
    'b.json.txt': 'repaired',
    'deep/c.png.txt': 'repaired',
  });
});

test('has no more under way than it was told', async () => {
  server.model = () => undefined;
  const running = submit([folder, '--out', out, '--concurrency', '2']);
  await expect.poll(() => server.accepted.length).toBe(2);
  server.finish('1-00000000', { state: 'succeeded', body: 'x' });
  await expect.poll(() => server.accepted.length).toBe(3);
  server.finish('2-00000000', { state: 'succeeded', body: 'x' });
  server.finish('3-00000000', { state: 'succeeded', body: 'x' });
  expect((await running).error).toBeUndefined();
});

test('submits without waiting when there is no place for results', async () => {
  server.model = () => undefined;
  const { stdout, error } = await submit([folder, '--json']);
  expect(error).toBeUndefined();
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { outcome: string });
  expect(lines.map(({ outcome }) => outcome)).toEqual(['submitted', 'submitted', 'submitted']);
});

test('bears lost connections, and stops at once for what concerns every file', async () => {
  server.faults.push(() => 'pass', cut, cut);
  expect((await submit([folder, '--out', out])).error).toBeUndefined();
  expect(server.accepted).toHaveLength(3);
  server.faults.push(() => 'pass', refuse(401, 'unauthorized'));
  const refused = await submit([folder, '--run', 'x', '--concurrency', '1']);
  expect(refused.error).toMatchObject({ code: 'unauthorized' });
  expect(server.accepted).toHaveLength(3);
});

test('waits for room, and says so', async () => {
  server.faults.push(() => 'pass', refuse(503, 'queue_full'));
  const { stderr, error } = await submit(['--data', 'x', '--wait']);
  expect(error).toBeUndefined();
  expect(stderr).toContain('The server has no room; waiting for it');
  // Who does not wait is told instead.
  server.faults.push(refuse(503, 'queue_full'));
  expect((await submit(['--data', 'x'])).error).toMatchObject({ code: 'queue_full' });
});

test('goes on past a file that is refused', async () => {
  server.faults.push(() => 'pass', refuse(413, 'too_large'));
  const { stdout, error } = await submit([folder, '--out', out, '--concurrency', '1']);
  expect(error).toMatchObject({ message: expect.stringContaining('1 of 3 failed') });
  expect(stdout).toMatch(/^a\.txt\t-\tfailed\trefused by the test$/m);
  expect(Object.keys(results())).toEqual(['b.json.txt', 'deep/c.png.txt']);
});

test('shows a bar on a terminal, and the failures only', async () => {
  server.model = (body) => (body === 'one' ? { state: 'dead' } : { state: 'succeeded', body: 'x' });
  const { stdout, stderr } = await submit(
    [folder, '--out', out],
    openSurroundings({ terminal: true }),
  );
  expect(stdout).toBe('');
  expect(stderr).toContain('[################--------] 2/3, 1 under way');
  expect(stderr).toMatch(/error: a\.txt: it died\n/);
});

test.each([
  [['no-such-file'], /no-such-file: there is no such file/],
  [['--out', 'x'], /--out needs files or a folder/],
  [['--data', 'x', 'a.txt'], /not both/],
])('refuses %j', async (args, message) => {
  const { error } = await submit(args);
  expect(error).toMatchObject({ message: expect.stringMatching(message) });
  expect(server.calls).toEqual([]);
});

test('refuses two files of one name, and a key for several', async () => {
  const files = [join(folder, 'a.txt'), join(folder, 'a.txt')];
  expect((await submit(files)).error).toMatchObject({
    message: expect.stringContaining('have the same name a.txt'),
  });
  expect((await submit([folder, '--key', 'k'])).error).toMatchObject({
    message: expect.stringContaining('--key is for one request'),
  });
});

test('prints one request, or its result alone', async () => {
  const file = join(folder, 'a.txt');
  const submitted = await submit([file]);
  expect(submitted.stdout).toBe('request 1-00000000  queued: It is next\n');
  const waited = await submit([file, '--wait', '--key', 'mine']);
  expect(waited.stdout).toBe('read: one');
  const data = await submit(['--data', '{"a": 1}', '--json']);
  expect(JSON.parse(data.stdout)).toMatchObject({ id: '3-00000000', repeated: false });
  expect(server.calls.at(-1)?.headers['content-type']).toBe('application/json');
  const surroundings = openSurroundings();
  surroundings.stdin.end('from a pipe');
  expect((await submit(['--wait'], surroundings)).stdout).toBe('read: from a pipe');
});

test('fails when the model does, once its answer is printed', async () => {
  server.model = () => ({ state: 'failed', body: 'no such page', modelStatus: 404 });
  const { stdout, error } = await submit(['--data', 'x', '--wait']);
  expect(stdout).toBe('no such page');
  expect(error).toMatchObject({ message: 'the model answered with 404' });
});
