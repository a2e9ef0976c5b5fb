// Queues under load whose server is killed again and again: clients and workers of both protocols
// go on, and an outside ledger must balance.

import { type Client, connect } from '@sluice/sdk';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  type CrashWorld,
  inputLength,
  killAgainAndAgain,
  Ledger,
  openCrashWorld,
  putOverHttp,
  readResults,
  serviceName,
} from './crash-world.ts';

let world: CrashWorld;
const clients: Client[] = [];

beforeEach(async () => {
  world = await openCrashWorld({ metadata: { name: serviceName, type: 'Async', instance: 0 } });
  await world.start();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await world.close();
});

async function client(protocol: 'stream' | 'eas', uid: string, gid: string): Promise<Client> {
  const connected = await connect(world.url, { service: serviceName, protocol, uid, gid });
  clients.push(connected);
  return connected;
}

/** Completes whatever it is given; what was taken from it meanwhile is somebody else's. */
async function work(worker: Client, signal: AbortSignal): Promise<void> {
  for await (const delivery of worker.input.watch({ window: 16, signal })) {
    const text = new TextDecoder().decode(delivery.payload);
    delivery.complete(`result of ${text}`).catch(() => undefined);
  }
}

/** Puts through the SDK, many at a time; it repeats by itself what a lost connection leaves open. */
async function putOverStream(ledger: Ledger, signal: AbortSignal): Promise<void> {
  const submitter = await client('stream', 'submitter', 'eas');
  const lane = async (name: string): Promise<void> => {
    for (let nth = 1; !signal.aborted; nth += 1) {
      const id = `${name}-${nth}`;
      ledger.asked(id);
      const answer = await submitter.input.put(`body of ${id}`, { id }).catch(() => undefined);
      if (answer !== undefined) ledger.accepted(id, answer.index);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, nth) => lane(`s${nth}`)));
}

it('loses and doubles nothing when the server is killed four times under load', async () => {
  const ledger = new Ledger();
  const puts = new AbortController();
  const works = new AbortController();
  const workers = [
    work(await client('stream', 'one', serviceName), works.signal),
    work(await client('stream', 'two', serviceName), works.signal),
    work(await client('eas', 'three', serviceName), works.signal),
  ];
  const reading = readResults(world.url, ledger, { isNear: () => puts.signal.aborted });
  const putting = [
    putOverStream(ledger, puts.signal),
    putOverHttp(world.url, ledger, 'h', puts.signal),
  ];
  await killAgainAndAgain(world, ledger, { times: 4, every: 500 });
  await ledger.until(2_500);
  puts.abort();
  await Promise.all(putting);
  await reading;
  works.abort();
  await Promise.all(workers);
  expect(await inputLength(world.url)).toBe(0);
  const nothing = { lost: 0, duplicated: 0, wrong: 0, foreign: 0, sharedIndexes: 0 };
  expect(ledger.balance((id) => `result of body of ${id}`)).toEqual(nothing);
  expect(ledger.acceptedCount).toBeGreaterThanOrEqual(2_500);
  await world.kill();
  const verified = await world.commands.run(['verify', '--data', world.data, '--json']);
  expect(JSON.parse(verified.stdout)).toMatchObject({ damageCount: 0 });
}, 120_000);
