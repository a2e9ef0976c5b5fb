// What a session remembers of the answers that a client may never have read.

import { expect, it } from 'vitest';
import { Session } from '../../src/http/stream/session.ts';

const session = () => new Session({ id: 's', uid: 'u', token: 't', settledMax: 3 });

it('remembers the latest answers, and forgets the oldest first', () => {
  const one = session();
  for (let deliveryId = 1; deliveryId <= 8; deliveryId += 1)
    one.settled(deliveryId, deliveryId * 10);
  const known = [4, 5, 6, 7, 8].map((deliveryId) => one.answerOf(deliveryId));
  expect(known).toEqual([undefined, undefined, 60, 70, 80]);
});

it('forgets no other for an answer that is given twice', () => {
  const one = session();
  for (const deliveryId of [1, 2, 3]) one.settled(deliveryId, 0);
  for (let again = 0; again < 5; again += 1) one.settled(2, again);
  expect([1, 2, 3].map((deliveryId) => one.answerOf(deliveryId))).toEqual([0, 4, 0]);
});
