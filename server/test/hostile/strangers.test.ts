// Who may not: tokens of one service on another, in each operation and protocol; pages of other
// sites; names and paths that try to reach what they do not name.

import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { putOf, Speaker, watchOf } from './speaker.ts';
import { adminToken, ask, openWorld, requestOf, tokenOf, type World } from './world.ts';

let world: World;
let readToken: string;
beforeAll(async () => {
  world = await openWorld();
  readToken = (await world.admin.addToken('two', 'reader', ['read'])).token;
  await ask(world, requestOf('POST', '/api/predict/one', { body: 'kept' }));
});
afterAll(async () => {
  expect((await ask(world, requestOf('GET', '/api/predict/one'))).body).toBe('kept');
  await world.close();
  expect(world.errors).toEqual([]);
});

const operations: readonly (readonly [method: string, query: string])[] = [
  ['POST', ''],
  ['POST', '?_eos_=true'],
  ['POST', '?_eos_=true&_force_=true'],
  ['GET', ''],
  ['GET', '?_timeout_=5s'],
  ['GET', '?requestId=x'],
  ['GET', '?_count_=true'],
  ['GET', '?_search_=true&_index_=1'],
  ['GET', '?_attrs_=true'],
  ['GET', '?_watch_=true'],
  ['PUT', '?_indexes_=1'],
  ['PUT', '?_indexes_=1&_negative_=true'],
  ['DELETE', '?_indexes_=1'],
  ['DELETE', '?_trunc_=true&_index_=99'],
];

describe.each(['', '/sink', '/path'])('on /api/predict/one%s', (below) => {
  it.each(operations)('%s %s is refused to every other token', async (method, query) => {
    const path = `/api/predict/one${below}${query}`;
    const others = [
      tokenOf('two'),
      `Bearer ${tokenOf('two')}`,
      readToken,
      '',
      'Bearer ',
      'Basic dXNlcjpwYXNz',
      'EAS AAAA',
      `${tokenOf('one')}x`,
      tokenOf('one').slice(0, -1),
      tokenOf('one').toUpperCase(),
      `${tokenOf('one')}\t${tokenOf('one')}`,
      `${tokenOf('one')}${tokenOf('one')}`,
    ];
    for (const rear of ['false', 'true']) {
      for (const token of others) {
        const headers = [`X-EAS-QueueService-Access-Rear: ${rear}`];
        const answer = await ask(world, requestOf(method, path, { token, headers, body: '' }));
        expect([token, answer.status]).toEqual([token, 401]);
      }
    }
  });
});

it('refuses a watch over a WebSocket to every other token', async () => {
  for (const authorization of [tokenOf('two'), readToken, '']) {
    const url = `ws://127.0.0.1:${world.port}/api/predict/one?_watch_=true`;
    const webSocket = new WebSocket(url, { headers: { authorization } });
    const [error] = await once(webSocket, 'error');
    expect(String(error)).toContain('401');
  }
});

it('answers every call over the stream protocol with 401 under another token', async () => {
  const speaker = await Speaker.connect(world.port);
  speaker.hello({ token: tokenOf('two'), gid: 'one' });
  speaker.say({ kind: 'open', number: 1, service: 'one', queue: 'input', gid: '', uid: '' });
  const body = { payload: new Uint8Array(0), transfer: 0, size: 0 };
  const delivery = { deliveryId: 2 ** 32 + 1, again: true, code: '', reason: '' };
  speaker.say(
    putOf(10),
    watchOf(11),
    { kind: 'truncate', number: 12, channel: 1, index: 9 },
    { kind: 'end', number: 13, channel: 1, force: true },
    { kind: 'delete', number: 14, channel: 1, indexes: [1] },
    { kind: 'attributes', number: 15, channel: 1 },
    {
      kind: 'complete',
      number: 16,
      channel: 1,
      ...delivery,
      ...body,
      outcome: 'succeeded',
      contentType: undefined,
      firstOutputAt: 0,
    },
    { kind: 'commit', number: 17, channel: 1, ...delivery },
    { kind: 'ping', number: 18 },
  );
  await speaker.answer(18);
  for (let number = 10; number < 18; number++) {
    expect(await speaker.answer(number)).toMatchObject({ kind: 'error', code: 'unauthorized' });
  }
  // A delivery of another service, told to one's own.
  speaker.say({ kind: 'open', number: 2, service: 'two', queue: 'input', gid: '', uid: '' });
  speaker.say({ kind: 'commit', number: 20, channel: 2, ...delivery });
  expect(await speaker.answer(20)).toMatchObject({ kind: 'error', code: 'stale_delivery' });
  speaker.close();
});

it('refuses every administrative call to every token but the admin token', async () => {
  const calls: readonly (readonly [method: string, path: string])[] = [
    ...(await administrativeCalls()),
    // Other spellings of the same.
    ['GET', '/V1/services'],
    ['GET', '//v1/services'],
    ['GET', '/v1//services'],
    ['GET', '/v1/./services'],
    ['GET', '/healthz/../v1/services'],
    ['GET', '/healthz/%2e%2e/v1/services'],
    ['GET', '/%76%31/services'],
    ['GET', '/v1%2fservices'],
    ['GET', '/v1/services;x=y'],
    ['GET', '/v1/services?'],
    ['GET', 'http://localhost/v1/services'],
  ];
  expect(calls.length).toBeGreaterThan(30);
  for (const [method, path] of calls) {
    for (const token of [tokenOf('one'), '', 'Bearer x', `${adminToken}x`]) {
      const headers = ['Content-Type: application/json'];
      const answer = await ask(world, requestOf(method, path, { token, headers, body: '{}' }));
      expect([method, path, answer.status]).toEqual([
        method,
        path,
        expect.toSatisfy((status: number) => [400, 401, 404, 405].includes(status)),
      ]);
      expect(answer.body).not.toContain('the-main-token');
    }
  }
});

/** All that the API itself describes as in need of the admin token, but for what any caller of this
 * machine may scrape. */
async function administrativeCalls(): Promise<readonly (readonly [string, string])[]> {
  const document = JSON.parse((await ask(world, requestOf('GET', '/openapi.json'))).body);
  const paths: [string, Record<string, { security: readonly object[] }>][] = Object.entries(
    document.paths,
  );
  return paths
    .filter(([path]) => path !== '/metrics')
    .flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([, { security }]) => security.some((scheme) => 'adminToken' in scheme))
        .map(([method]): readonly [string, string] => [
          method.toUpperCase(),
          path.replace('{name}', 'one').replaceAll(/\{\w+\}/g, '1'),
        ]),
    );
}

describe('Host and Origin', () => {
  const send = async (lines: readonly string[], path = '/api/predict/one?_attrs_=true') => {
    const peer = await world.peer();
    const all = [`GET ${path} HTTP/1.1`, `Authorization: ${tokenOf('one')}`, ...lines];
    peer.send(`${all.join('\r\n')}\r\n\r\n`);
    const text = await peer.until('\r\n\r\n');
    peer.socket.destroy();
    return Number(text.slice(9, 12));
  };

  it.each([
    'evil.example',
    'evil.example:80',
    'localhost.evil.example',
    'evil.example#localhost',
    'localhost@evil.example',
    '127.0.0.1.evil.example',
    '127.1',
    '0.0.0.0',
    '10.0.0.1',
    '169.254.169.254',
    '[::ffff:10.0.0.1]',
    '[::]',
    'localhost.',
    'localhost:80:80',
    '2130706433',
    '0x7f000001',
    '',
    ' ',
  ])('a request for the host "%s" is refused', async (host) => {
    expect([400, 421]).toContain(await send([`Host: ${host}`]));
  });

  it.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '127.9.9.9:80', '[::1]:8600', 'a.localhost'])(
    'a request for the host "%s" is served',
    async (host) => {
      expect(await send([`Host: ${host}`])).toBe(200);
    },
  );

  it('a second host, or an address with a host of its own, opens nothing', async () => {
    expect(await send(['Host: evil.example', 'Host: localhost'])).not.toBe(200);
    const absolute = 'http://evil.example/api/predict/one?_attrs_=true';
    expect(await send(['Host: evil.example'], absolute)).toBe(421);
  });

  it.each([
    'https://evil.example',
    'http://localhost.evil.example',
    'null',
    'file://',
    'http://localhost:1',
    'chrome-extension://abc',
    'http://127.0.0.1:1',
    'javascript:alert(1)',
    '*',
    '',
  ])('a page of "%s" may not call', async (origin) => {
    const status = await send(['Host: localhost', `Origin: ${origin}`]);
    // An empty Origin names nobody, so it is no page's.
    expect(status).toBe(origin === '' ? status : 403);
    const url = `ws://127.0.0.1:${world.port}/v1/stream`;
    const webSocket = new WebSocket(url, { headers: { origin: origin || 'null' } });
    const [error] = await once(webSocket, 'error');
    expect(String(error)).toContain('403');
  });
});

describe('names and paths', () => {
  const put = async (path: string) => ask(world, requestOf('POST', path, { body: '' }));

  it.each([
    '/api/predict/..',
    '/api/predict/../one',
    '/api/predict/%2e%2e',
    '/api/predict/%2e%2e%2fone',
    '/api/predict/one%2fsink',
    '/api/predict/one%00',
    '/api/predict/%6f%6e%65%00',
    '/api/predict/one%20',
    '/api/predict/one;x',
    '/api/predict/ONE',
    '/api/predict/',
    '/api/predict//one',
    '/api/predict',
    '/api/predict/__proto__',
    '/api/predict/constructor',
    '/api/predict/%ff',
    '/api/predict/%',
    `/api/predict/${'n'.repeat(10_000)}`,
    '/api//predict/one',
    '/API/predict/one',
    '/api/./predict/one',
    '\\api\\predict\\one',
    '/..%2f..%2fetc/passwd',
  ])('%s names no service', async (path) => {
    expect([400, 404]).toContain((await put(path)).status);
  });

  it.each([
    '/..',
    '/../two',
    '/a/../../two',
    '/%2e%2e/two',
    '/%2E%2E%2ftwo',
    '/.%2e',
    '/a%2f..%2fb',
    '/a%5c..%5cb',
    '/a\\..\\b',
    '/a%00',
    '//two',
    '/a//b',
    '/./a',
    '/sink/../../two',
    '/sink//x',
    '/%c0%ae%c0%ae',
    '/%u002e',
    '/a#b',
  ])('the request path %s is refused', async (path) => {
    expect((await put(`/api/predict/one${path}`)).status).toBe(400);
  });

  it('names of instances, tokens and services reach no file', async () => {
    const names = ['..', '%2e%2e', '..%2f..%2f..%2fetc%2fpasswd', '%00', 'a%5cb', '__proto__'];
    for (const name of names) {
      for (const path of [
        `/v1/services/${name}`,
        `/v1/services/one/instances/${name}/logs`,
        `/v1/services/one/tokens/${name}`,
        `/v1/services/${name}/queues`,
      ]) {
        const options = { token: adminToken };
        const status = (await ask(world, requestOf('GET', path, options))).status;
        expect([path, status]).toEqual([
          path,
          expect.toSatisfy((seen: number) => seen >= 400 && seen < 500),
        ]);
      }
    }
  });
});
