// Requests whose bodies are not in their messages, and workers on other machines: those that fetch
// bodies are told where they are, and no other ever works on what stands for one.

import type { LeasedMessage } from '@sluice/sdk';
import { afterEach, expect, it } from 'vitest';
import { noTerms, writeTerms } from '../../src/queue/terms.ts';
import { putRequest } from './queue-requests.ts';
import { everything } from './stream-worker.ts';
import { report, StreamWorld } from './stream-world.ts';

let world: StreamWorld;
afterEach(() => world?.close());

it('gives a request back with the reason when its worker can not fetch the body', async () => {
  world = await StreamWorld.open();
  const body = { kind: 'file', name: 'x', size: 10 ** 6 } as const;
  const terms = writeTerms({ ...noTerms, body });
  const large = await world.queues.put('input', putRequest('', { home: 'record', terms }));
  const small = await world.queues.put('input', putRequest('small', { home: 'record' }));
  const worker = await world.work('one');
  await worker.report(report);
  const delivered: LeasedMessage[] = [];
  await worker.watch('input', everything, {
    deliver: (message: LeasedMessage) => void delivered.push(message),
    voided: () => undefined,
    closed: () => undefined,
  });
  while (delivered.length === 0) await new Promise((turn) => setImmediate(turn));
  expect(delivered.map(({ index }) => index)).toEqual([small.index]);
  const known = await world.queues.requests.find(large.index);
  if (known?.kind !== 'live') throw new Error('it waits');
  expect(known.standing.isRunning).toBe(false);
  expect(known.standing.mark?.bad).toBe(0);
  expect(known.standing.mark?.outcomes[0]).toMatchObject({
    code: 'BodyElsewhere',
    reason: expect.stringContaining('too old to fetch it'),
  });
});

it('tells a worker that fetches bodies where each is, and which results may be large', async () => {
  world = await StreamWorld.open();
  const file = { kind: 'file', name: 'x', size: 10 ** 6 } as const;
  const address = { kind: 'address', url: 'http://there.example/body' } as const;
  for (const body of [file, address]) {
    const terms = writeTerms({ ...noTerms, body });
    await world.queues.put('input', putRequest('', { home: 'record', terms }));
  }
  await world.queues.put('input', putRequest('small', { home: 'sink' }));
  const worker = await world.work('one');
  await worker.report(report);
  const delivered: LeasedMessage[] = [];
  const all = { ...everything, window: 3, fetches: true };
  await worker.watch('input', all, {
    deliver: (message: LeasedMessage) => void delivered.push(message),
    voided: () => undefined,
    closed: () => undefined,
  });
  while (delivered.length < 3) await new Promise((turn) => setImmediate(turn));
  const told = delivered.map(({ apart, largeResult, payload }) => {
    return { apart, largeResult, bytes: payload.length };
  });
  expect(told).toEqual([
    { apart: { kind: 'file', size: 10 ** 6 }, largeResult: true, bytes: 0 },
    { apart: address, largeResult: true, bytes: 0 },
    { apart: undefined, largeResult: undefined, bytes: 5 },
  ]);
});
