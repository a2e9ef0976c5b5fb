// Answers of the request API that are one JSON value a line, of batches, redrives and exports: in
// order, whole or known to be cut, and nothing done twice.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { PlatformError } from '../src/errors.ts';
import { defaultClock } from '../src/platform.ts';
import { RequestClient } from '../src/requests/requests.ts';
import { cut, openRequestServer, type RequestServer, refuse, send } from './request-server.ts';

/** Pauses and deadlines pass twenty times as fast. */
const clock = {
  ...defaultClock,
  after: (ms: number, fire: () => void) => defaultClock.after(ms / 20, fire),
};

let server: RequestServer;
let requests: RequestClient;

beforeEach(async () => {
  server = await openRequestServer();
  requests = new RequestClient({ url: server.url, service: 'ocr', platform: { clock } });
});

afterEach(() => server.close());

it('submits many in one call, and again only what has no outcome', async () => {
  const outcome = (line: number): string =>
    `${JSON.stringify({ line, request: { id: `${line}` }, repeated: false })}\n`;
  server.faults.push(
    (_call, response) => {
      response.writeHead(200).write(`${outcome(1)}{"line":`);
      setImmediate(() => response.destroy());
      return 'answered';
    },
    (_call, response) => {
      response.writeHead(200).end(`${outcome(1)}${outcome(2)}`);
      return 'answered';
    },
  );
  const items = [
    { body: 'a' },
    { body: new Uint8Array([1, 2]), tags: { n: '2' }, delayMs: 5 },
    { body: { n: 3 }, idempotencyKey: 'mine' },
  ];
  const lines: number[] = [];
  for await (const { line } of requests.batch(items)) lines.push(line);
  expect(lines).toEqual([1, 2, 3]);
  const [first, second] = server.calls.map(({ body }) =>
    body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  );
  expect(first).toMatchObject([
    { text: 'a' },
    { base64: 'AQI=', tags: { n: '2' }, delay: '5ms' },
    { body: { n: 3 }, idempotencyKey: 'mine' },
  ]);
  // The same keys as before: what was accepted without an answer is not doubled.
  expect(second).toEqual(first?.slice(1));
});

it('does not put a dead request again when it may have been done', async () => {
  server.faults.push(cut);
  await expect(requests.dead.redrive(4)).rejects.toMatchObject({ code: 'outcome_unknown' });
  server.faults.push(refuse(503, 'queue_full'));
  server.faults.push((_call, response) => {
    send(response, 200, { id: '9-00000000' });
    return 'answered';
  });
  const again = await requests.dead.redrive(4, { body: { page: 2 }, priority: 3 });
  expect(again.id).toBe('9-00000000');
  expect(server.calls).toHaveLength(3);
  expect(server.calls[2]).toMatchObject({
    path: '/dead/4/redrive',
    body: '{"page":2}',
    headers: { 'content-type': 'application/json', 'sluice-priority': '3' },
  });
});

it('knows when the answer to a redrive of many was cut', async () => {
  server.faults.push((_call, response) => {
    response.writeHead(200).end('{"kind":"redriven","rearIndex":1}\n');
    return 'answered';
  });
  const steps: string[] = [];
  const redrive = async (): Promise<void> => {
    for await (const { kind } of requests.dead.redriveMany({ code: '500' })) steps.push(kind);
  };
  await expect(redrive()).rejects.toBeInstanceOf(PlatformError);
  expect(steps).toEqual(['redriven']);
});

it.each(['{"rearIndex":2,"te', '{"rearIndex":2}'])(
  'knows an export that ends with %s',
  async (end) => {
    server.faults.push((_call, response) => {
      response.writeHead(200).end(`{"rearIndex":3}\n${end}`);
      return 'answered';
    });
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const { rearIndex } of requests.dead.export()) seen.push(rearIndex);
    };
    await expect(read()).rejects.toMatchObject({ code: 'unavailable' });
    expect(seen).toEqual([3]);
  },
);
