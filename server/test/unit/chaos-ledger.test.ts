// The ledger of the crash harness: whether it would notice what the harness looks for.

import { expect, it } from 'vitest';
import { Ledger, resultOf } from '../../../chaos/ledger.ts';

function accepted(...ids: readonly string[]): Ledger {
  const ledger = new Ledger();
  for (const [at, id] of ids.entries()) {
    ledger.asked(id);
    ledger.accepted(id, at + 1, 'a service');
  }
  return ledger;
}

const clean = { results: 0, waiting: 0, dead: 0, deleted: 0, lost: 0, duplicated: 0 };

it('counts each accepted put once, by the best that became of it', () => {
  const ledger = accepted('done', 'waiting', 'dead', 'buried', 'deleted', 'lost');
  ledger.seen('done', 1, resultOf('done'), undefined);
  ledger.seen('done', 1, resultOf('done'), undefined);
  ledger.waits('done');
  ledger.waits('waiting');
  ledger.seen('dead', 2, '', 'Idle');
  ledger.died('buried');
  ledger.deleted('deleted');
  const counts = { results: 1, waiting: 1, dead: 2, deleted: 1, lost: 1, duplicated: 0 };
  expect(ledger.balance()).toEqual({ accepted: 6, ...counts });
  expect(ledger.evidence()).toEqual({ lost: ['lost'], duplicated: [] });
  expect(ledger.contradictions).toEqual([]);
});

it('calls two indexes of the sink for one put a duplicate, answered or not', () => {
  const ledger = accepted('a');
  ledger.asked('unanswered');
  for (const id of ['a', 'unanswered']) {
    ledger.seen(id, 1, resultOf(id), undefined);
    ledger.seen(id, 2, id === 'a' ? '' : resultOf(id), id === 'a' ? 'Idle' : undefined);
  }
  expect(ledger.balance()).toEqual({ ...clean, accepted: 1, results: 1, duplicated: 2 });
});

it('does not call a put lost that was never accepted', () => {
  const ledger = new Ledger();
  ledger.asked('refused');
  expect(ledger.balance()).toEqual({ ...clean, accepted: 0 });
});

it('knows how many accepted puts are open, whatever is heard first', async () => {
  const ledger = new Ledger();
  for (const id of ['early', 'late']) ledger.asked(id);
  ledger.seen('early', 1, resultOf('early'), undefined);
  const two = ledger.until(2);
  ledger.accepted('early', 1, 'a service');
  ledger.accepted('late', 2, 'a service');
  await two;
  expect([ledger.acceptedCount, ledger.openCount]).toEqual([2, 1]);
  ledger.seen('late', 2, resultOf('late'), undefined);
  expect(ledger.openCount).toBe(0);
});

it('notes what contradicts itself', () => {
  const ledger = accepted('a', 'b');
  ledger.accepted('a', 1, 'a service');
  ledger.accepted('a', 7, 'a service');
  for (const id of ['c', 'd']) ledger.asked(id);
  ledger.accepted('c', 2, 'a service');
  ledger.accepted('d', 2, 'another service');
  ledger.seen('b', 1, resultOf('a'), undefined);
  ledger.seen('stranger', 2, '', undefined);
  expect(ledger.contradictions).toEqual([
    'a was answered with 1 and with 7',
    'b and c share index 2',
    'the result of b is "result of a"',
    'a result with the id stranger, which nobody has put',
  ]);
});
