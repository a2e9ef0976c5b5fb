// Events of a request: read whatever the pieces are, and followed over cut connections without one
// being missed or told twice.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { defaultClock } from '../src/platform.ts';
import { EventParser, type SentEvent } from '../src/requests/event-source.ts';
import { RequestClient } from '../src/requests/requests.ts';
import { openRequestServer, type RequestServer, refuse } from './request-server.ts';

setFlagsFromString('--expose-gc');
// What the flag adds to new contexts only.
const collect = runInNewContext('gc') as () => void;

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

/** Answers the next connection with this text; then it ends, is cut, or stays. */
function answer(text: string, then: 'end' | 'cut' | 'stay'): void {
  server.faults.push((_call, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(text);
    if (then === 'end') response.end();
    if (then === 'cut') setImmediate(() => response.destroy());
    return 'answered';
  });
}

function sent(id: string, event: string, data: unknown): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

it('reads the same events however the text is cut', () => {
  const text =
    ': keep\n\nid: 1.1\r\nevent: output\r\ndata: {"text":\rdata:  "a"}\n\n' +
    'data\n\nevent: x\n\nid: 1.2\ndata:b: c\nretry: 5\n\nid: 9\ndata: unfinished\n';
  const expected: SentEvent[] = [
    { id: '1.1', event: 'output', data: '{"text":\n "a"}' },
    { id: '1.1', event: 'message', data: '' },
    { id: '1.2', event: 'message', data: 'b: c' },
  ];
  for (const size of [1, 2, 3, 7, text.length]) {
    const parser = new EventParser();
    const events: SentEvent[] = [];
    for (let at = 0; at < text.length; at += size) {
      events.push(...parser.feed(text.slice(at, at + size)));
    }
    expect(events, `pieces of ${size}`).toEqual(expected);
  }
});

it('refuses an event beyond all bounds', () => {
  const parser = new EventParser();
  const feed = (): void => {
    for (let nth = 0; nth < 5; nth += 1) [...parser.feed(`data: ${'x'.repeat(2 ** 20)}\n`)];
  };
  expect(feed).toThrow(/more than/);
});

it('goes on after a cut where it was, until the last event', async () => {
  answer(sent('1.1', 'state', { state: 'running' }) + sent('1.2', 'output', { text: 'a' }), 'cut');
  server.faults.push(refuse(503, 'unavailable'));
  answer(
    `: keep\n\n${sent('1.3', 'later-kind', {})}${sent('2.1', 'reset', { attempt: 2 })}`,
    'end',
  );
  answer(sent('2.2', 'done', { state: 'succeeded', cause: 'completed', code: '200' }), 'stay');
  const events: string[] = [];
  for await (const event of requests.events('1-0', { after: '1.0' })) {
    events.push(`${event.id} ${event.event}`);
    if (event.event === 'done') expect(event.data.state).toBe('succeeded');
  }
  expect(events).toEqual(['1.1 state', '1.2 output', '2.1 reset', '2.2 done']);
  expect(server.calls.map(({ headers }) => headers['last-event-id'])).toEqual([
    '1.0',
    '1.2',
    '1.2',
    '2.1',
  ]);
});

it('opens the connection again when it falls silent', async () => {
  answer(sent('1.1', 'output', { text: 'a' }), 'stay');
  answer(sent('1.2', 'done', { state: 'dead', cause: 'deliveries', code: '' }), 'stay');
  const events: string[] = [];
  for await (const { id } of requests.events('1-0')) events.push(id);
  expect(events).toEqual(['1.1', '1.2']);
});

it('takes every word of the server for a sign of life', async () => {
  const idle: number[] = [];
  let canceled = 0;
  const counting = {
    ...defaultClock,
    after(ms: number, fire: () => void) {
      const timer = defaultClock.after(ms, fire);
      if (ms !== 45_000) return timer;
      idle.push(ms);
      return {
        cancel() {
          canceled += 1;
          timer.cancel();
        },
      };
    },
  };
  const patient = new RequestClient({
    url: server.url,
    service: 'ocr',
    platform: { clock: counting },
  });
  let say = (_text: string): void => undefined;
  server.faults.push((_call, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    say = (text) => response.write(text);
    say(': keep\n\n');
    return 'answered';
  });
  const next = patient.events('1-0').next();
  await expect.poll(() => idle.length).toBe(2);
  say(': keep\n\n');
  await expect.poll(() => idle.length).toBe(3);
  expect(canceled).toBe(2);
  say(sent('1.1', 'done', { state: 'succeeded', cause: 'completed', code: '200' }));
  expect((await next).value).toMatchObject({ event: 'done' });
});

it('gives up on a server that never says the last event', async () => {
  for (let nth = 0; nth < 30; nth += 1) answer(': keep\n\n', 'end');
  const follow = async (): Promise<void> => {
    for await (const { id } of requests.events('1-0')) expect(id).toBe('none');
  };
  await expect(follow()).rejects.toMatchObject({ code: 'unavailable' });
});

it('says that there is no such request', async () => {
  await expect(requests.events('7-0').next()).rejects.toMatchObject({ code: 'not_found' });
});

it('ends once the signal is aborted, also after memory was collected', async () => {
  answer(sent('1.1', 'output', { text: 'a' }), 'stay');
  const over = new AbortController();
  const events = requests.events('1-0', { signal: over.signal });
  await events.next();
  const next = events.next().catch((error: unknown) => error);
  for (let nth = 0; nth < 5; nth += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const reason = new Error('enough');
  over.abort(reason);
  expect(await next).toBe(reason);
});

it('lets the connection go when the loop is left', async () => {
  let closed = false;
  server.faults.push((_call, response) => {
    response.writeHead(200).write(sent('1.1', 'output', { text: 'a' }));
    response.once('close', () => {
      closed = true;
    });
    return 'answered';
  });
  for await (const { id } of requests.events('1-0')) {
    expect(id).toBe('1.1');
    break;
  }
  await expect.poll(() => closed).toBe(true);
});
