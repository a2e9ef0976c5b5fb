// Why a request waits: one reason for each state of a service, the first that would have to change.

import { expect, test } from 'vitest';
import type { ServerFacts } from '../../src/requests/wait-facts.ts';
import { whyWaits } from '../../src/requests/why.ts';
import { type Differences, now, ready, waitFacts } from './requests-world.ts';

const free: ServerFacts = { state: 'ready', window: 2, busy: 1, runningMs: [], isChoosy: false };
const starting: ServerFacts = { state: 'starting', window: 1, forMs: 100 };
const pending: ServerFacts = { state: 'pending', reason: 'needs 2 GPUs, the machine has 1' };
const refusing: ServerFacts = { state: 'refusing', window: 1, until: now + 5000 };
const unhealthy: ServerFacts = {
  state: 'unhealthy',
  reason: 'ended with code 1',
  until: now + 900,
};
const sinkFull = { sinkLength: 98, sinkReserved: 2 };

const cases: readonly (readonly [string, string, Differences])[] = [
  ['behind', '3 requests come before it, and the only slot is taken.', { request: { ahead: 3 } }],
  [
    'behind',
    'One request comes before it, and all 4 slots are taken; 1 more instance is starting.',
    { request: { ahead: 1 }, servers: [ready(2), ready(2), starting] },
  ],
  [
    'behind',
    'One request comes before it, and takes the slot that is free.',
    { request: { ahead: 1 }, servers: [free, ready(1)] },
  ],
  [
    'behind',
    '5 requests come before it, and take the slots that are free.',
    { request: { ahead: 5 }, servers: [free, free] },
  ],
  ['next', 'It is about to be handed out.', { servers: [free, ready(1)] }],
  [
    'windows_full',
    'It is first in line, and each of 2 instances works on as many as it may: ' +
      'all 5 slots are taken.',
    { servers: [ready(2), ready(3)] },
  ],
  ['no_instance', 'The service has no instance, and none is starting.', { servers: [] }],
  [
    'starting',
    'No instance is ready yet: 2 instances are starting.',
    { servers: [starting, starting, pending], request: { ahead: 7 } },
  ],
  [
    'pending',
    'The instance is not started yet: needs 2 GPUs, the machine has 1.',
    { servers: [pending] },
  ],
  [
    'sink_full',
    'Its result has no place: the sink holds 98 of 100 and keeps 2 places for running requests; ' +
      'fetch or delete results.',
    { queue: sinkFull },
  ],
  [
    'results_full',
    'Its result has no place: the store of kept results is full until some expire.',
    { queue: { resultsFull: true }, request: { home: 'record' } },
  ],
  [
    'paused',
    'Nothing is delivered: the service is being stopped.',
    { queue: { paused: 'is being stopped' } },
  ],
  [
    'backing_off',
    'Its last delivery ended badly; it is tried again at 2026-01-01T00:00:05.000Z.',
    { request: { backoffUntil: now + 5000 } },
  ],
  [
    'delayed',
    'Its submitter asked for a delay until 2026-01-01T00:00:05.000Z.',
    { request: { delayUntil: now + 5000 } },
  ],
  [
    'refused',
    'The instance refuses work; the next is asked again at 2026-01-01T00:00:05.000Z.',
    { servers: [refusing, unhealthy] },
  ],
  ['unhealthy', 'The instance is not healthy: ended with code 1.', { servers: [unhealthy] }],
  [
    'suspect',
    'Instances died with it: it waits for one that holds nothing else.',
    { request: { isSuspect: true } },
  ],
];

test.each(cases)('says %s: %s', (code, text, differences) => {
  const { until: _, ...said } = whyWaits(waitFacts(differences));
  expect(said).toEqual({ code, text });
});

test('says until when it surely waits', () => {
  const until = (differences: Differences) => whyWaits(waitFacts(differences)).until;
  expect(until({ request: { delayUntil: now + 5000 } })).toBe(now + 5000);
  expect(until({ request: { backoffUntil: now + 5000 } })).toBe(now + 5000);
  const later: ServerFacts = { ...refusing, until: now + 9000 };
  expect(until({ servers: [later, refusing] })).toBe(now + 5000);
  expect(until({ servers: [unhealthy] })).toBe(now + 900);
  expect(until({ request: { ahead: 3 } })).toBe(0);
});

test('does not tell of a time that is over', () => {
  const over = { delayUntil: now - 1, backoffUntil: now };
  expect(whyWaits(waitFacts({ request: over })).code).toBe('windows_full');
});

test('lets a full sink stop only those whose results go there', () => {
  const full = waitFacts({ queue: sinkFull, request: { home: 'record' } });
  expect(whyWaits(full).code).toBe('windows_full');
  const evicting = waitFacts({ queue: { ...sinkFull, sinkEvicts: true } });
  expect(whyWaits(evicting).code).toBe('windows_full');
  const kept = waitFacts({ queue: { resultsFull: true } });
  expect(whyWaits(kept).code).toBe('windows_full');
});
