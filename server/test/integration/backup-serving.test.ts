// Backups that a server makes while it serves, restored elsewhere: an outside ledger says what has
// to be there, and nothing that the time after the backup left behind may touch what is there now.

import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdminClient, type Client, connect } from '@sluice/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type CrashWorld,
  inputLength,
  Ledger,
  openCrashWorld,
  putOverHttp,
  readResults,
  serviceName,
} from './crash-world.ts';

const largeBytes = 300 * 1024;

let world: CrashWorld;
const clients: Client[] = [];

beforeEach(async () => {
  const size = { max_payload_size_kb: 400 };
  world = await openCrashWorld({
    metadata: { name: serviceName, type: 'Async', instance: 0 },
    queue: { source: size, sink: size },
  });
  await world.start();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await world.close();
});

async function client(uid: string, gid: string): Promise<Client> {
  const connected = await connect(world.url, { service: serviceName, uid, gid });
  clients.push(connected);
  return connected;
}

function put(id: string, body: string): Promise<number> {
  return request('POST', `?requestId=${id}`, body);
}

async function request(method: string, rest: string, body?: string): Promise<number> {
  const address = `${world.url}/api/predict/${serviceName}${rest}`;
  const response = await fetch(address, { method, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
  return Number(text);
}

/** Completes whatever it is given. */
async function work(worker: Client, signal: AbortSignal): Promise<void> {
  for await (const delivery of worker.input.watch({ window: 16, signal })) {
    const text = new TextDecoder().decode(delivery.payload);
    delivery.complete(`result of ${text}`).catch(() => undefined);
  }
}

/** Puts large bodies, whose files come and go, as small ones do rows. */
async function putLarge(ledger: Ledger, signal: AbortSignal): Promise<void> {
  for (let nth = 1; !signal.aborted; nth += 1) {
    const id = `large-${nth}`;
    ledger.asked(id);
    ledger.accepted(id, await put(id, bodyOf(id)));
  }
}

function bodyOf(id: string): string {
  return id.startsWith('large') ? `body of ${id}`.padEnd(largeBytes, '.') : `body of ${id}`;
}

async function backUp(name: string): Promise<{ readonly path: string; readonly files: number }> {
  const path = join(world.commands.home, name);
  const { code, stdout, stderr } = await world.commands.run([
    ...['backup', path, '--url', world.url, '--token', await adminToken(), '--json'],
  ]);
  expect(stderr.replaceAll(/^(Copying|Reading|Making checksums)\n/gm, '')).toBe('');
  expect(code).toBe(0);
  return { path, files: JSON.parse(stdout).files };
}

async function adminToken(): Promise<string> {
  return (await readFile(join(world.data, 'admin', 'token'), 'utf8')).trim();
}

/** The server ends, and what is in the backup takes the place of its data. */
async function restoreOver(path: string): Promise<void> {
  await world.kill();
  const args = ['restore', path, '--data', world.data, '--force', '--json'];
  const { code, stderr } = await world.commands.run(args);
  expect(stderr).toContain('what was there before can be deleted');
  expect(code).toBe(0);
  await world.start();
}

describe('a backup of a server under load', () => {
  it('restored holds everything accepted before it began, once, and nothing damaged', async () => {
    const ledger = new Ledger();
    const puts = new AbortController();
    const works = new AbortController();
    const workers = ['one', 'two'].map(async (uid) => {
      await work(await client(uid, serviceName), works.signal);
    });
    const putting = [
      putLarge(ledger, puts.signal),
      ...['a', 'b', 'c'].map((lane) => putOverHttp(world.url, ledger, lane, puts.signal)),
    ];
    await ledger.until(300);
    const before = ledger.acceptedIds();
    const { path, files } = await backUp('backup');
    expect(ledger.acceptedCount).toBeGreaterThan(before.length);
    expect(files).toBeGreaterThan(5);
    await ledger.until(before.length + 300);
    puts.abort();
    await Promise.all(putting);
    const verified = await world.commands.run(['verify', path, '--json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({ damageCount: 0, leftoverFiles: 0 });

    await restoreOver(path);
    // Only what was accepted before the backup has to be there; what came while it was made may.
    const after = new Ledger();
    for (const id of ledger.acceptedIds()) after.asked(id);
    for (const id of before) after.accepted(id, ledger.indexOf(id));
    await readResults(world.url, after, { isNear: () => true });
    works.abort();
    await Promise.all(workers);
    expect(await inputLength(world.url)).toBe(0);
    const nothing = { lost: 0, duplicated: 0, wrong: 0, foreign: 0, sharedIndexes: 0 };
    expect(after.balance((id) => `result of ${bodyOf(id)}`)).toEqual(nothing);
    await world.kill();
    const args = ['verify', '--data', world.data, '--json'];
    const left = JSON.parse((await world.commands.run(args)).stdout);
    expect(left).toMatchObject({ damageCount: 0 });
    expect(left.rows['message input']).toBeUndefined();
  });

  it('keeps no payload file that has gone meanwhile, and gives all room back', async () => {
    const id = 'large-1';
    await put(id, bodyOf(id));
    const works = new AbortController();
    const working = work(await client('one', serviceName), works.signal);
    const copying = backUp('backup');
    await until(async () => (await inputLength(world.url)) === 0);
    const { path } = await copying;
    await request('DELETE', '/sink?_index_=0&_length_=1').catch(() => undefined);
    await until(async () => (await files(world.data)) <= 1);
    expect(await files(path)).toBeLessThanOrEqual(2);
    works.abort();
    await working;
  });

  it('is given up when the command is interrupted or the server stops', async () => {
    await put('large-1', bodyOf('large-1'));
    const path = join(world.commands.home, 'backup');
    const arguments_ = ['backup', path, '--url', world.url, '--token', await adminToken()];
    const unfinished = async (): Promise<readonly string[]> => {
      return (await readdir(world.commands.home)).filter((name) => name.startsWith('backup'));
    };
    const interrupted = world.commands.start(arguments_);
    await stoppedChild(world.pid());
    expect(await unfinished()).toHaveLength(1);
    interrupted.child.kill('SIGINT');
    expect((await interrupted.ended).code).toBe(130);
    await until(async () => (await unfinished()).length === 0);
    // Nothing holds the next one up.
    const stopped = world.commands.start(arguments_);
    await stoppedChild(world.pid());
    await world.stop();
    expect(await stopped.ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/the server (ended before|is stopping)|does not answer/i),
    });
    expect(await unfinished()).toEqual([]);
  });

  it('is refused while another is made, for bad paths and without the admin token', async () => {
    const admin = new AdminClient({ url: world.url, token: await adminToken() });
    const first = admin.backUp(join(world.commands.home, 'one'));
    const second = admin.backUp(join(world.commands.home, 'two'));
    const ends = await Promise.allSettled([first, second]);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [refused] = ends.filter((end) => end.status === 'rejected');
    expect(refused?.reason).toMatchObject({ code: 'conflict' });
    await expect(admin.backUp('relative')).rejects.toMatchObject({ code: 'bad_request' });
    await expect(admin.backUp(join(world.data, 'in'))).rejects.toMatchObject({ code: 'conflict' });
    await mkdir(join(world.commands.home, 'full', 'x'), { recursive: true });
    await expect(admin.backUp(join(world.commands.home, 'full'))).rejects.toMatchObject({
      code: 'conflict',
    });
    const stranger = new AdminClient({ url: world.url, token: 'not-the-admin-token' });
    const path = join(world.commands.home, 'three');
    await expect(stranger.backUp(path)).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('is refused, and said to be so, when the data is damaged', async () => {
    await put('large-1', bodyOf('large-1'));
    const [name = ''] = await readdir(join(world.data, 'queue', 'payloads'));
    await truncate(join(world.data, 'queue', 'payloads', name), 1000);
    const path = join(world.commands.home, 'backup');
    const { code, stderr } = await world.commands.run([
      ...['backup', path, '--url', world.url, '--token', await adminToken()],
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: The data in .* is damaged \(.*another size.*\); no backup/);
    await put('another', 'the server serves on');
  });
});

describe('after a restore', () => {
  it('an index that was given out after the backup hits nothing', async () => {
    const admin = await client('reader', 'eas');
    const worker = await client('one', serviceName);
    const { path } = await backUp('backup');
    await put('late', 'of the time after the backup');
    const stop = new AbortController();
    const working = work(worker, stop.signal);
    const [late] = await admin.sink.get({ waitMs: 10_000, autoDelete: false });
    expect(late?.index).toBe(1);

    await restoreOver(path);
    expect(await put('early', 'of the new life')).toBeGreaterThan(2 ** 40);
    const [result] = await admin.sink.get({ waitMs: 10_000, autoDelete: false });
    expect(result?.id).toBe('early');
    // Somebody deletes the result that he saw before.
    await request('DELETE', `/sink?_indexes_=${late?.index}`);
    const [still] = await admin.sink.get({ autoDelete: false });
    expect(still?.index).toBe(result?.index);
    stop.abort();
    await working;
  });

  it('a lease that was given out after the backup completes nothing', async () => {
    await put('early', 'of both lives');
    const { path } = await backUp('backup');
    const old = await client('old', serviceName);
    const watch = old.input.watch({ window: 1 })[Symbol.asyncIterator]();
    const stale = (await watch.next()).value;
    expect(stale?.id).toBe('early');

    await restoreOver(path);
    const fresh = await client('fresh', serviceName);
    const freshWatch = fresh.input.watch({ window: 1 })[Symbol.asyncIterator]();
    const taken = (await freshWatch.next()).value;
    expect(taken?.id).toBe('early');
    expect(taken?.deliveryId).toBeGreaterThan((stale?.deliveryId ?? 0) + 2 ** 32);
    await expect(stale?.complete('too late')).rejects.toMatchObject({ code: 'stale_delivery' });
    await taken?.complete('in time');
    const [result] = await fresh.sink.get({ waitMs: 10_000 });
    expect(new TextDecoder().decode(result?.payload)).toBe('in time');
  });

  it('services and tokens are those of the backup', async () => {
    const token = await adminToken();
    const admin = new AdminClient({ url: world.url, token });
    const added = await admin.addToken(serviceName, 'kept', ['submit']);
    const { path } = await backUp('backup');
    await admin.removeToken(serviceName, 'kept');
    await writeFile(join(world.data, 'admin', 'token'), 'another-token-of-the-test\n');
    await restoreOver(path);
    expect(await adminToken()).toBe(token);
    expect(await admin.tokens(serviceName)).toContainEqual({ name: 'kept', scopes: ['submit'] });
    const address = `${world.url}/api/predict/${serviceName}`;
    const headers = { Authorization: added.token };
    expect((await fetch(address, { method: 'POST', headers, body: 'x' })).status).toBe(200);
  });
});

async function files(folder: string): Promise<number> {
  return (await readdir(join(folder, 'queue', 'payloads'))).length;
}

/** Waits for the process that makes the server's backup, and holds it where it is. */
async function stoppedChild(server: number): Promise<void> {
  await until(async () => {
    const children = await readFile(`/proc/${server}/task/${server}/children`, 'utf8');
    for (const pid of children.split(' ').filter((word) => word !== '')) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (!command.includes('"copy"')) continue;
      process.kill(Number(pid), 'SIGSTOP');
      return true;
    }
    return false;
  });
}

/** Polls until it holds; the test's own deadline ends it. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
