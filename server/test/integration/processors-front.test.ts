// The HTTP front of processors, over real sockets: what it answers by itself, how it bounds and
// cuts, and how it ends.

import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { type EndedCall, Front } from '../../src/processors/front.ts';
import {
  type Answer,
  type Call,
  InputError,
  LostError,
  type Processor,
} from '../../src/processors/processor.ts';

const opened: Front[] = [];
afterEach(async () => {
  for (const front of opened.splice(0)) {
    front.cut();
    await front.stop();
  }
});

interface Hand extends Processor {
  isClosed: boolean;
}

function processor(answer: (call: Call) => Promise<Answer>): Hand {
  const hand: Hand = {
    description: {
      kind: 'test',
      model: 'echo',
      about: undefined,
      input: {},
      output: {},
      details: {},
    },
    isClosed: false,
    answer,
    close: async () => {
      hand.isClosed = true;
    },
  };
  return hand;
}

const echo = processor(async ({ method, path, query, body, headers }) => ({
  status: 200,
  contentType: headers['content-type'] ?? 'x/y',
  headers: { 'X-Seen': `${method} ${path} ${query.get('q')}` },
  body,
}));

interface World {
  readonly front: Front;
  readonly url: string;
  readonly calls: EndedCall[];
}

async function open(shown?: Processor, bodyBytesMax = 1000): Promise<World> {
  const calls: EndedCall[] = [];
  const front = new Front({
    host: '127.0.0.1',
    port: 0,
    bodyBytesMax,
    clock: systemClock,
    log: silentLog,
    observe: (call) => calls.push(call),
  });
  opened.push(front);
  await front.start();
  if (shown !== undefined) await front.show(shown);
  return { front, url: front.url, calls };
}

const post = (url: string, body: string | Uint8Array, path = '/'): Promise<Response> =>
  fetch(`${url}${path}`, { method: 'POST', body });

describe('without a model', () => {
  it('answers 503 to everything, with a time to come back', async () => {
    const { url, front } = await open();
    for (const path of ['/', '/health', '/other']) {
      const response = await fetch(`${url}${path}`);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await response.json()).toMatchObject({ detail: 'the model is being loaded' });
    }
    await front.show(echo);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await front.hide('line 3: a mistake');
    expect(await (await fetch(url)).json()).toMatchObject({ detail: 'line 3: a mistake' });
  });
});

describe('with a model', () => {
  it('describes it, and hands on all other calls', async () => {
    const { url } = await open(echo);
    expect(await (await fetch(url)).json()).toMatchObject({ kind: 'test', model: 'echo' });
    const response = await post(url, 'abc', '/a%20b/c?q=1%26');
    expect(response.headers.get('x-seen')).toBe('POST /a b/c 1&');
    expect(await response.text()).toBe('abc');
    const head = await fetch(`${url}/x`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('says what a caller has to change, with field and row', async () => {
    const { url, calls } = await open(
      processor(async () => {
        throw new InputError('no such field', { field: 'age', row: 2, headers: { Allow: 'GET' } });
      }),
    );
    const response = await post(url, '');
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('allow')).toBe('GET');
    expect(await response.json()).toEqual({
      type: 'urn:sluice:processor:input',
      title: 'The request does not fit the model',
      status: 400,
      detail: 'no such field',
      field: 'age',
      row: 2,
    });
    expect(calls).toMatchObject([{ method: 'POST', path: '/', status: 400, bytesIn: 0 }]);
  });

  it('answers 500 for a mistake of the model, and goes on', async () => {
    let times = 0;
    const { url } = await open(
      processor(async () => {
        times += 1;
        throw times === 1 ? new Error('division by zero') : 'not even an error';
      }),
    );
    const first = await post(url, '');
    expect([first.status, await first.json()]).toMatchObject([500, { detail: 'division by zero' }]);
    expect(await (await post(url, '')).json()).toMatchObject({ detail: 'not even an error' });
  });

  it('refuses a body over the limit by its length and by its bytes', async () => {
    const { url } = await open(echo, 10);
    expect((await post(url, '0123456789')).status).toBe(200);
    const large = await post(url, '0123456789a');
    expect([large.status, await large.json()]).toMatchObject([
      413,
      { detail: 'the body is larger than 10 bytes (--body-limit)' },
    ]);
    const sent = await new Promise<number | undefined>((resolve, reject) => {
      const chunked = request(url, { method: 'POST' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      chunked.on('error', reject);
      chunked.write('012345');
      chunked.end('67890');
    });
    expect(sent).toBe(413);
  });

  it('refuses paths and encodings that it cannot read', async () => {
    const { url } = await open(echo);
    expect((await post(url, 'x', '/%zz')).status).toBe(400);
    const headers = { 'content-encoding': 'gzip' };
    const encoded = await fetch(url, { method: 'POST', body: 'x', headers });
    expect(encoded.status).toBe(415);
  });
});

/** A stream that the test feeds. */
function handStream(): {
  readonly answer: Answer;
  push(text: string): void;
  fail(): void;
  readonly returned: Promise<void>;
} {
  let give: (piece: IteratorResult<Uint8Array>) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  let asked: () => void = () => undefined;
  let isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  let returned: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    returned = resolve;
  });
  const stream: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        const next = new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
          give = resolve;
          fail = reject;
        });
        asked();
        return next;
      },
      return: async () => {
        returned();
        return { done: true, value: undefined };
      },
    }),
  };
  const whenAsked = (work: () => void): void => {
    void isAsked.then(() => {
      isAsked = new Promise((resolve) => {
        asked = resolve;
      });
      work();
    });
  };
  return {
    answer: { status: 200, contentType: 'text/plain', stream },
    push: (text) => whenAsked(() => give({ done: false, value: Buffer.from(text) })),
    fail: () => whenAsked(() => fail(new Error('out of tokens'))),
    returned: over,
  };
}

describe('streams', () => {
  it('go out piece by piece', async () => {
    const hand = handStream();
    const { url } = await open(processor(async () => hand.answer));
    hand.push('one');
    const reader = (await post(url, '')).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('one');
    hand.push('two');
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('two');
    await reader?.cancel();
    await hand.returned;
  });

  it('still get a status when they fail before the first piece, and are cut after it', async () => {
    const early = handStream();
    const late = handStream();
    const streams = [early, late];
    const { url } = await open(processor(async () => streams.shift()?.answer ?? late.answer));
    early.fail();
    expect((await post(url, '')).status).toBe(500);
    late.push('begun');
    const response = await post(url, '');
    late.fail();
    await expect(response.text()).rejects.toThrow();
  });
});

describe('callers and models that leave', () => {
  it('tells the model by its signal, and counts the call as left', async () => {
    let seen: (signal: AbortSignal) => void = () => undefined;
    const signal = new Promise<AbortSignal>((resolve) => {
      seen = resolve;
    });
    const { url, calls } = await open(
      processor(async (call) => {
        seen(call.signal);
        await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
        return { status: 200, contentType: 'x/y', body: new Uint8Array(0) };
      }),
    );
    const leaving = new AbortController();
    const call = fetch(url, { method: 'POST', body: 'x', signal: leaving.signal });
    const given = await signal;
    leaving.abort();
    await expect(call).rejects.toThrow();
    await expect.poll(() => [given.aborted, calls[0]?.status]).toEqual([true, 499]);
  });

  it('cuts a call whose model is gone instead of answering it', async () => {
    const { url } = await open(
      processor(async () => {
        throw new LostError('killed');
      }),
    );
    await expect(post(url, '')).rejects.toThrow();
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});

describe('the end', () => {
  it('waits for calls that run, and closes the model after the last', async () => {
    let finish: () => void = () => undefined;
    let begun: () => void = () => undefined;
    const isRunning = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const slow = processor(async ({ body }) => {
      begun();
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return { status: 200, contentType: 'x/y', body };
    });
    const { url, front } = await open(slow);
    const call = post(url, 'late');
    await isRunning;
    const stopped = front.stop();
    await expect(fetch(url)).rejects.toThrow();
    expect(slow.isClosed).toBe(false);
    finish();
    expect(await (await call).text()).toBe('late');
    await stopped;
    expect(slow.isClosed).toBe(true);
  });

  it('does not wait for connections that only lie there', async () => {
    const { url, front } = await open(echo);
    const { port } = new URL(url);
    const idle = connect(Number(port), '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    const closed = new Promise((resolve) => idle.once('close', resolve));
    idle.resume();
    await post(url, 'x');
    await front.stop();
    await closed;
  });

  it('of a model that is replaced comes after its own calls; the next one answers', async () => {
    const hand = handStream();
    const old = processor(async () => hand.answer);
    const { url, front } = await open(old);
    hand.push('old');
    const reader = (await post(url, '')).body?.getReader();
    await reader?.read();
    const shown = front.show(echo);
    expect(await (await post(url, 'new')).text()).toBe('new');
    expect(old.isClosed).toBe(false);
    await reader?.cancel();
    hand.push('nobody reads this');
    await shown;
    expect(old.isClosed).toBe(true);
  });
});
