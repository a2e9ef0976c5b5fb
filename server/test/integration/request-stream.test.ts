// Events over HTTP: as they come, resumed by Last-Event-ID, ended with the client, and without
// memory for a client that does not read.

import {
  createServer,
  get,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { PlatformError, type RequestEvent } from '@sluice/sdk/wire';
import { afterEach, expect, it } from 'vitest';
import { serveEvents } from '../../src/http/requests/events.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';

type Open = (after: string | undefined, signal: AbortSignal) => AsyncIterable<RequestEvent>;

const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }),
  );
});

interface Served {
  readonly url: string;
  /** Settles with the handling of the latest request. */
  readonly handled: () => Promise<string>;
  readonly closing: AbortController;
  readonly response: () => ServerResponse | undefined;
}

async function serve(open: Open, clock: Clock = systemClock): Promise<Served> {
  const closing = new AbortController();
  let handled: Promise<string> = Promise.resolve('none');
  let latest: ServerResponse | undefined;
  const server = createServer((request, response) => {
    latest = response;
    const header = request.headers['last-event-id'];
    const lastEventId = typeof header === 'string' ? header : undefined;
    handled = serveEvents({ response, open, lastEventId, closing: closing.signal, clock }).then(
      () => 'done',
      (error: unknown) => {
        response.writeHead(error instanceof PlatformError ? 404 : 500).end();
        return String(error);
      },
    );
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an object with a port.
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return { url, handled: () => handled, closing, response: () => latest };
}

function ask(url: string, headers = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, resolve).once('error', reject);
  });
}

const text = (id: string, data: string): RequestEvent => ({
  event: 'output',
  id,
  data: { text: data },
});

it('writes each event when it is there, and ends behind the last', async () => {
  let more: (() => void) | undefined;
  const { url, handled } = await serve(async function* () {
    yield text('1.5', 'first\n');
    await new Promise<void>((resolve) => {
      more = resolve;
    });
    yield { event: 'done', id: '1.5', data: { state: 'succeeded', cause: null, code: '200' } };
  });
  const response = await ask(url);
  expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  let all = '';
  for await (const piece of response) {
    all += piece;
    // Only what has been read lets the rest come.
    if (all.includes('first')) more?.();
  }
  expect(all).toBe(
    'retry: 1000\n\nevent: output\nid: 1.5\ndata: {"text":"first\\n"}\n\n' +
      'event: done\nid: 1.5\ndata: {"state":"succeeded","cause":null,"code":"200"}\n\n',
  );
  expect(await handled()).toBe('done');
});

it('goes on after the last event that a client has', async () => {
  const { url } = await serve(async function* (after) {
    yield text('1.9', `after ${after}`);
  });
  const response = await ask(url, { 'Last-Event-ID': '1.5' });
  expect(await textOf(response)).toContain('after 1.5');
});

it('refuses before the first byte', async () => {
  // biome-ignore lint/correctness/useYield: it refuses.
  const { url, handled } = await serve(async function* () {
    throw new PlatformError('not_found', 'there is no request 7');
  });
  expect((await ask(url)).statusCode).toBe(404);
  expect(await handled()).toContain('there is no request 7');
});

it('stops reading events when the client leaves, or the server stops', async () => {
  const ends: string[] = [];
  const { url, handled, closing } = await serve(async function* (_after, signal) {
    yield text('1.1', 'x');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    ends.push('ended');
  });
  const response = await ask(url);
  await new Promise((resolve) => response.once('data', resolve));
  response.destroy();
  expect(await handled()).toBe('done');
  const second = await ask(url);
  const all = textOf(second);
  closing.abort();
  expect(await all).toContain('1.1');
  expect(ends).toEqual(['ended', 'ended']);
});

it('holds one event for a slow client, and reads the next when that is taken', async () => {
  let held = 0;
  const piece = 'x'.repeat(16_000);
  const served = await serve(async function* () {
    for (let at = 1; at <= 5000; at++) {
      const { writableLength = 0 } = served.response() ?? {};
      held = Math.max(held, writableLength);
      yield text(`1.${at}`, piece);
    }
  });
  const response = await ask(served.url);
  let events = 0;
  let rest = '';
  for await (const data of response) {
    const all = rest + data;
    events += all.split('\nid: ').length - 1;
    rest = all.slice(-4);
    // Slower than it is written: the sockets between are full now and then.
    await new Promise<void>((resolve) => systemClock.defer(resolve));
  }
  expect(events).toBe(5000);
  expect(held).toBeLessThan(3 * piece.length);
  expect(await served.handled()).toBe('done');
});

it('says that it is still there', async () => {
  const beats: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after: (_delayMs, fire) => {
      beats.push(fire);
      return { cancel: () => undefined };
    },
  };
  const { url, closing } = await serve(async function* (_after, signal) {
    yield text('1.1', 'x');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  }, clock);
  const response = await ask(url);
  let all = '';
  for await (const data of response) {
    all += data;
    if (all.includes(': keep')) closing.abort();
    else if (all.includes('1.1')) beats.at(-1)?.();
  }
  expect(all).toContain(': keep\n\n');
});

async function textOf(response: IncomingMessage): Promise<string> {
  let all = '';
  for await (const piece of response) all += piece;
  return all;
}
