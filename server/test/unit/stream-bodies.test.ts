// Requests whose bodies are not in their messages, and workers on other machines: they are never
// handed an empty message instead.

import type { LeasedMessage, WorkRequest } from '@sluice/sdk';
import { afterEach, expect, it } from 'vitest';
import { noTerms, writeTerms } from '../../src/queue/terms.ts';
import { putRequest } from './queue-requests.ts';
import { StreamWorld } from './stream-world.ts';

const everything: WorkRequest = {
  window: 2,
  from: 0,
  indexOnly: false,
  autoCommit: false,
  tags: new Map(),
  id: undefined,
  holding: [],
};

let world: StreamWorld;
afterEach(() => world?.close());

it('gives a request whose body lies elsewhere back with the reason', async () => {
  world = await StreamWorld.open();
  const body = { kind: 'file', name: 'x', size: 10 ** 6 } as const;
  const terms = writeTerms({ ...noTerms, body });
  const large = await world.queues.put('input', putRequest('', { home: 'record', terms }));
  const small = await world.queues.put('input', putRequest('small', { home: 'record' }));
  const worker = await world.work('one');
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
    reason: expect.stringContaining('on the machine of the server'),
  });
});
