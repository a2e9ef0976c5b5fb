// Which paths of a model server a request may reach, and what is sent along.

import { expect, it } from 'vitest';
import { choosePath } from '../../src/worker/path.ts';
import { modelRequest } from '../../src/worker/request.ts';
import type { WorkDelivery } from '../../src/worker/source.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';

const target = { path: '/v1', paths: ['/health', '/x/'], method: 'POST', contentType: 'a/b' };

function chosen(own: string | undefined, path = '/v1', base = '/'): string | undefined {
  const choice = choosePath(base, { ...target, path }, own);
  return choice.ok ? choice.path : undefined;
}

it('goes to request.path when the put names none', () => {
  expect([undefined, '', '/'].map((own) => chosen(own))).toEqual(['/v1', '/v1', '/v1']);
  expect(chosen(undefined, '/')).toBe('/');
  expect(chosen(undefined, '/read?lang=en')).toBe('/read?lang=en');
});

it('joins the address of the instance and the path', () => {
  expect(chosen(undefined, '/', '/models/a')).toBe('/models/a');
  expect(chosen(undefined, '/', '/models/a/')).toBe('/models/a/');
  expect(chosen(undefined, '/v1', '/models/a/')).toBe('/models/a/v1');
  expect(chosen('v1/b', '/v1', '/models')).toBe('/models/v1/b');
});

it('lets a put choose a path at or below the declared ones', () => {
  expect(chosen('v1/read')).toBe('/v1/read');
  expect(chosen('/v1')).toBe('/v1');
  expect(chosen('health')).toBe('/health');
  expect(chosen('x/y/z')).toBe('/x/y/z');
  expect(chosen('anything/at/all', '/')).toBe('/anything/at/all');
  expect(chosen('v1/grüße')).toBe('/v1/gr%C3%BC%C3%9Fe');
  expect(chosen('v1/a%20b')).toBe('/v1/a%20b');
});

it('refuses every other path', () => {
  for (const own of ['v2', 'v10', 'v1x', 'admin', 'V1']) expect(chosen(own)).toBeUndefined();
});

it('refuses what servers could read differently', () => {
  const tricky = [
    ...['v1/../admin', 'v1/..', 'v1/.', './v1', 'v1/%2e%2e/admin', 'v1/.%2E/x', '..'],
    ...['v1%2fadmin', 'v1/%2Fx', 'v1/%5cx', 'v1\\x', 'v1/%00', 'v1/%', 'v1/%zz', 'v1/%c3'],
    ...['v1/a b', 'v1/a\r\nHost: x', 'v1?x=1', 'v1#x', `v1/${'a'.repeat(5000)}`],
  ];
  for (const own of tricky) expect([own, chosen(own)]).toEqual([own, undefined]);
});

it('says which paths are allowed', () => {
  const choice = choosePath('/', target, 'other');
  expect(choice).toMatchObject({ problem: expect.stringContaining('/v1, /health, /x/') });
});

function delivery(more: Partial<WorkDelivery> = {}): WorkDelivery {
  return {
    deliveryId: 7,
    index: 1,
    id: 'id-1',
    tags: new Map(),
    payload: Buffer.from('x'),
    contentType: undefined,
    path: undefined,
    deliveries: 3,
    ...more,
  };
}

function headersOf(more: Partial<WorkDelivery>): Readonly<Record<string, string>> {
  const choice = modelRequest(delivery(more), '/', target, new SeededRandom(1));
  if (!choice.ok) throw new Error(choice.problem);
  return choice.request.headers;
}

it('tells the model request, delivery and trace', () => {
  const headers = headersOf({});
  expect(headers['x-request-id']).toBe('id-1');
  expect(headers['x-eas-queueservice-request-id']).toBe('id-1');
  expect(headers['x-sluice-delivery']).toBe('3');
  expect(headers['content-type']).toBe('a/b');
  expect(headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(headersOf({ contentType: 'image/png' })['content-type']).toBe('image/png');
});

it('continues a trace that came with the request, if it is one', () => {
  const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;
  expect(headersOf({ tags: new Map([['traceparent', given]]) }).traceparent).toBe(given);
  const broken = headersOf({ tags: new Map([['traceparent', 'x\r\ny: z']]) }).traceparent;
  expect(broken).toMatch(/^00-[0-9a-f]{32}-/);
});

it('encodes request ids that no header can carry', () => {
  expect(headersOf({ id: 'a\r\nb: c' })['x-request-id']).toBe('a%0D%0Ab%3A%20c');
  expect(headersOf({ id: 'é' })['x-request-id']).toBe('%C3%A9');
});
