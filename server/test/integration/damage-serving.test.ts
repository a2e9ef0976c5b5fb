// Messages whose payloads were damaged on disk while nobody looked: a server that meets them hands
// nothing wrong out, goes on with everything else, and lets them come to rest.

import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, connect } from '@sluice/sdk';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CrashWorld, openCrashWorld, serviceName } from './crash-world.ts';

const damaged = ['small-2', 'large-2'];
const sound = ['small-1', 'large-1', 'small-3', 'small-4'];

let world: CrashWorld;
const clients: Client[] = [];

beforeEach(async () => {
  const size = { max_payload_size_kb: 400 };
  world = await openCrashWorld({
    metadata: { name: serviceName, type: 'Async', instance: 0 },
    queue: { source: size, sink: size, max_delivery: 2 },
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

function bodyOf(id: string): string {
  return `the body of ${id} `.padEnd(id.startsWith('large') ? 300 * 1024 : 500, '.');
}

/** Puts all, ends the server, and damages two: one bit in the table, one file cut. */
async function putAndDamage(): Promise<void> {
  const submitter = await client('submitter', 'eas');
  for (const id of ['small-1', 'large-1', 'small-2', 'large-2', 'small-3', 'small-4']) {
    await submitter.input.put(bodyOf(id), { id });
  }
  // A server that ends in peace leaves nothing in the journal.
  await world.stop();
  const table = join(world.data, 'queue', 'data.mdb');
  const bytes = await readFile(table);
  let found = 0;
  for (
    let at = bytes.indexOf(bodyOf('small-2'));
    at >= 0;
    at = bytes.indexOf(bodyOf('small-2'), at)
  ) {
    bytes.writeUInt8(bytes.readUInt8(at + 100) ^ 1, at + 100);
    found += 1;
  }
  expect(found).toBeGreaterThan(0);
  await writeFile(table, bytes);
  const payloads = join(world.data, 'queue', 'payloads');
  const names = (await readdir(payloads)).sort((one, other) => Number(one) - Number(other));
  await truncate(join(payloads, names.at(-1) ?? ''), 1000);
  await world.start();
}

it('works on all the others and lets the damaged ones die', async () => {
  await putAndDamage();
  const worker = await client('one', serviceName);
  const stop = new AbortController();
  const working = (async () => {
    for await (const delivery of worker.input.watch({ window: 2, signal: stop.signal })) {
      const text = new TextDecoder().decode(delivery.payload);
      expect(text).toBe(bodyOf(delivery.id));
      await delivery.complete(`result of ${delivery.id}`);
    }
  })();
  const reader = await client('reader', 'eas');
  const results = await reader.sink.get({ length: 6, waitMs: 20_000 });
  const seen = new Map(results.map((result) => [result.id, result]));
  expect([...seen.keys()].sort()).toEqual([...damaged, ...sound].sort());
  for (const id of sound) {
    expect(new TextDecoder().decode(seen.get(id)?.payload)).toBe(`result of ${id}`);
  }
  for (const id of damaged) {
    expect(seen.get(id)?.payload).toHaveLength(0);
    expect(seen.get(id)?.tags.get('lastCode')).toBe('Damaged');
    expect(seen.get(id)?.tags.get('lastReason')).toContain('is damaged on disk');
  }
  stop.abort();
  await working;
  // They are still there for whoever wants to look into it, and can be removed.
  await expect(reader.rear.get({ length: 2 })).rejects.toMatchObject({ code: 'damaged' });
  expect(await reader.rear.count()).toBe(2);
  await reader.rear.delete([1, 2]);
  expect(await reader.rear.count()).toBe(0);
  await reader.input.put('goes on', { id: 'later' });
});

it('tells readers which message it is, and lets them pass it', async () => {
  await putAndDamage();
  const reader = await client('reader', 'eas');
  const get = { autoDelete: false, length: 6 };
  await expect(reader.input.get(get)).rejects.toMatchObject({
    code: 'damaged',
    message: expect.stringMatching(/message 3 of the input queue is damaged on disk: /),
  });
  await reader.input.delete([3, 4]);
  const found = await reader.input.get(get);
  expect(found.map(({ id }) => id)).toEqual(sound);
  for (const { id, payload } of found) expect(new TextDecoder().decode(payload)).toBe(bodyOf(id));
});

it('skips them where they are handed out without a lease', async () => {
  await putAndDamage();
  const reader = await client('reader', 'eas');
  const ids: string[] = [];
  for await (const delivery of reader.input.watch({ window: 10, autoCommit: true })) {
    expect(new TextDecoder().decode(delivery.payload)).toBe(bodyOf(delivery.id));
    ids.push(delivery.id);
    if (ids.length === sound.length) break;
  }
  expect(ids).toEqual(sound);
});
