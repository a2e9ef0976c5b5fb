// The table of the manual: what each answer of a model means for the request.

import { describe, expect, it } from 'vitest';
import type { ModelAnswer } from '../../src/worker/model.ts';
import {
  backOff,
  type OutcomeFacts,
  outcomeOf,
  retryAfter,
  timedOut,
} from '../../src/worker/outcome.ts';

const facts: OutcomeFacts = {
  deliveries: 1,
  retryStatuses: [500, 418],
  keptBytesMax: 0,
  answerBytesMax: 8,
  method: 'POST',
  path: '/read',
  contentType: 'image/png',
  now: Date.UTC(2026, 0, 1),
  fraction: 0.5,
};

function answer(status: number, more: Partial<ModelAnswer> = {}): ModelAnswer {
  return {
    kind: 'answer',
    status,
    statusText: 'Text',
    contentType: 'text/plain',
    retryAfter: undefined,
    body: Buffer.from('body'),
    size: 4,
    sizeKnown: true,
    firstOutputAt: 1,
    ...more,
  };
}

function kindOf(status: number, retryStatuses: readonly number[] = []): string {
  return outcomeOf(answer(status), { ...facts, retryStatuses }).kind;
}

describe('every status', () => {
  const refused = [429, 450, 503];
  const retried = [408, 425, 502, 504];

  it('has the outcome of the table', () => {
    for (let status = 200; status <= 599; status += 1) {
      const expected = refused.includes(status)
        ? 'refused'
        : retried.includes(status)
          ? 'retry'
          : status < 300
            ? 'succeeded'
            : 'failed';
      expect([status, kindOf(status)]).toEqual([status, expected]);
    }
  });

  it('is tried again when retry.statuses names it, unless the table decides otherwise', () => {
    for (let status = 200; status <= 599; status += 1) {
      const plain = kindOf(status);
      const expected = plain === 'failed' ? 'retry' : plain;
      expect([status, kindOf(status, [status])]).toEqual([status, expected]);
    }
  });
});

it('counts and repeats what was cut or took too long', () => {
  expect(outcomeOf({ kind: 'cut', reason: 'gone' }, facts)).toEqual({
    kind: 'retry',
    code: '502',
    reason: 'gone',
    delayMs: 500,
  });
  expect(timedOut(1500, facts)).toMatchObject({ kind: 'retry', code: '408', delayMs: 500 });
  expect(timedOut(1500, facts)).toMatchObject({ reason: expect.stringContaining('1.5 s') });
});

it('refuses without counting when no connection came about', () => {
  const result = { kind: 'refused', reason: 'ECONNREFUSED', retried: false } as const;
  expect(outcomeOf(result, facts)).toMatchObject({ kind: 'refused', unreachable: true });
});

it('names both sizes and fails with 413 when an answer is over the limit', () => {
  const outcome = outcomeOf(answer(200, { body: undefined, size: 20 }), facts);
  expect(outcome).toMatchObject({ kind: 'failed', code: '413', payload: new Uint8Array(0) });
  expect(outcome).toMatchObject({
    reason: expect.stringMatching(/20 bytes.* 8 bytes.*queue\.sink\./),
  });
  const open = outcomeOf(answer(200, { body: undefined, size: 20, sizeKnown: false }), facts);
  expect(open).toMatchObject({ reason: expect.stringContaining('more than 20 bytes') });
  const busy = outcomeOf(answer(503, { body: undefined, size: 20 }), facts);
  expect(busy.kind).toBe('refused');
});

it('names the settings when the model does not know what it was asked', () => {
  for (const status of [404, 405, 415, 422]) {
    const outcome = outcomeOf(answer(status), facts);
    for (const word of ['request.path', 'request.method', 'request.content_type', '/read']) {
      expect(outcome).toMatchObject({ reason: expect.stringContaining(word) });
    }
  }
  const plain = outcomeOf(answer(400), facts);
  expect(plain).toMatchObject({ reason: 'the model answered 400 Text' });
});

it('keeps body and type of a failure', () => {
  const outcome = outcomeOf(answer(403), facts);
  const payload = Buffer.from('body');
  expect(outcome).toMatchObject({ code: '403', payload, contentType: 'text/plain' });
});

it('waits a random time that doubles', () => {
  const longest = (deliveries: number): number => backOff(deliveries, 1);
  expect([1, 2, 3, 4, 5, 6, 7, 50].map(longest)).toEqual([
    1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000,
  ]);
  expect(backOff(3, 0)).toBe(0);
  expect(backOff(3, 0.25)).toBe(1000);
});

it('reads Retry-After as seconds or a date, at most 10 minutes', () => {
  const { now } = facts;
  const read = (text: string): number | undefined => retryAfter(text, now);
  expect(read('2')).toBe(2000);
  expect(read(' 0 ')).toBe(0);
  expect(read('86400')).toBe(600_000);
  expect(read(new Date(now + 5000).toUTCString())).toBe(5000);
  expect(read(new Date(now - 5000).toUTCString())).toBe(0);
  expect(read('Fri, 01 Jan 2100 00:00:00 GMT')).toBe(600_000);
  expect(['soon', '', '-1', '1.5', '1e3'].map(read)).toEqual(Array(5).fill(undefined));
  expect(retryAfter(undefined, now)).toBeUndefined();
});
