// What one request may ask for: each limit just below, at and just above, and numbers of every
// spelling and size in every place where a number is read.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues, WatchSink } from '../../src/broker/queues.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { consumersMax, groupsMax } from '../../src/queue/decide-consumer.ts';
import { defaultSettings } from '../../src/queue/settings.ts';
import {
  answersIn,
  ask,
  openWorld,
  type RawPeer,
  requestOf,
  tokenOf,
  type World,
} from './world.ts';

const queue = '/api/predict/one';
const small = '/api/predict/two';
let world: World;
let peer: RawPeer;
beforeAll(async () => {
  world = await openWorld();
  const spec = { metadata: { name: 'two', type: 'Async', instance: 0 }, token: tokenOf('two') };
  const side = { max_length: 5 };
  await world.admin.applyService('two', { ...spec, queue: { source: side, sink: side } });
  peer = await world.peer();
});
afterAll(async () => {
  await world.close();
  expect(world.errors).toEqual([]);
});

/** The status of one more request on the same connection. */
async function statusOf(bytes: string): Promise<number> {
  peer.forget();
  peer.send(bytes);
  const text = await peer.until((sofar) => answersIn(sofar).length > 0);
  return answersIn(text)[0]?.status ?? 0;
}
const put = (query: string, headers: readonly string[] = []) =>
  requestOf('POST', `${queue}?${query}`, { body: '', headers });
const repeated = (count: number, one: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => one(at)).join('&');

/** Requests of a size, the largest size that is taken, and what the next one gets. */
const limits: readonly (readonly [string, (size: number) => string, number])[] = [
  ['tags', (size) => put(repeated(size, (at) => `t${at}=x`)), 64],
  [
    'tags beside a request id',
    (size) => put(`requestId=id-${size}&${repeated(size, (at) => `t${at}=`)}`),
    64,
  ],
  ['characters of all tags', (size) => put(`a=${'x'.repeat(size - 3)}&b=y`), 8192],
  ['characters of one name', (size) => put(`${'n'.repeat(size)}=`), 8192],
  ['characters of a request id', (size) => put(`requestId=${'x'.repeat(size)}`), 256],
  ['the priority', (size) => put(`_priority_=${size}`), 2 ** 31 - 1],
  [
    'the priority in a header',
    (size) => put('', [`X-EAS-QueueService-Priority: ${size}`]),
    2 ** 31 - 1,
  ],
  ['characters of a content type', (size) => put('', [`Content-Type: ${'x'.repeat(size)}`]), 256],
  [
    'characters of a user id',
    (size) => put('', [`X-EAS-QueueService-Redis-Uid: ${'x'.repeat(size)}`]),
    512,
  ],
  [
    'characters of a group id',
    (size) => put('', [`X-EAS-QueueService-Redis-Gid: ${'x'.repeat(size)}`]),
    512,
  ],
  [
    'characters of a request path',
    (size) => requestOf('POST', `${queue}/${'x'.repeat(size - 1)}`, { body: '' }),
    2048,
  ],
  [
    'tags of a filter',
    (size) => requestOf('GET', `${queue}?_count_=true&${repeated(size, (at) => `t${at}=x`)}`),
    64,
  ],
  [
    'tags of a get',
    (size) => requestOf('GET', `${queue}/sink?${repeated(size, (at) => `t${at}=x`)}`),
    64,
  ],
  [
    'a request id that is looked for',
    (size) => requestOf('GET', `${queue}/sink?requestId=${'x'.repeat(size)}`),
    256,
  ],
  [
    'the code of a negative commit',
    (size) =>
      requestOf('PUT', `${queue}?_indexes_=1&_negative_=true`, {
        body: `_code_=${'x'.repeat(size)}`,
      }),
    64,
  ],
];

it.each(limits)('%s: taken up to the limit, 400 above it', async (_name, request, most) => {
  for (const size of [most - 1, most]) expect([200, 204]).toContain(await statusOf(request(size)));
  expect(await statusOf(request(most + 1))).toBe(400);
});

it.each([
  [0, 400],
  [1, 200],
  [65_535, 200],
  [65_536, 200],
  [65_537, 400],
  [2 ** 31, 400],
  [2 ** 53, 400],
])('a watch with the window %d gets %d', async (window, status) => {
  const watcher = await world.peer();
  watcher.send(requestOf('GET', `${queue}?_watch_=true&_window_=${window}`));
  expect(Number((await watcher.until('\r\n\r\n')).slice(9, 12))).toBe(status);
  watcher.socket.destroy();
});

describe('payloads', () => {
  const framings: readonly (readonly [string, (bytes: number) => string])[] = [
    ['declared', (bytes) => requestOf('POST', queue, { body: 'x'.repeat(bytes) })],
    [
      'chunked',
      (bytes) => {
        const chunk = `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`;
        const chunks = `${bytes === 0 ? '' : chunk}0\r\n\r\n`;
        return requestOf('POST', queue, { headers: ['Transfer-Encoding: chunked'] }) + chunks;
      },
    ],
    ['to the sink', (bytes) => requestOf('POST', `${queue}/sink`, { body: 'x'.repeat(bytes) })],
  ];
  it.each(framings)('%s: 8191 and 8192 bytes are taken, 8193 get 413', async (_name, request) => {
    expect(await statusOf(request(0))).toBe(200);
    expect(await statusOf(request(8191))).toBe(200);
    expect(await statusOf(request(8192))).toBe(200);
    expect(await statusOf(request(8193))).toBe(413);
    expect(await statusOf(request(1))).toBe(200);
  });
});

it('a queue takes as many as its length, answers 450 to one more, and takes the next', async () => {
  for (const at of [small, `${small}/sink`]) {
    const one = requestOf('POST', at, { token: tokenOf('two'), body: 'x' });
    const statuses: number[] = [];
    for (let count = 0; count < 7; count++) statuses.push(await statusOf(one));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 450, 450]);
    expect(
      await statusOf(requestOf('DELETE', `${at}?_indexes_=1`, { token: tokenOf('two') })),
    ).toBe(200);
    expect([await statusOf(one), await statusOf(one)]).toEqual([200, 450]);
  }
});

describe('numbers', () => {
  const whole = [
    ...['0', '1', '%2B1', '2147483647', '2147483648', '4294967295', '4294967296'],
    ...['9007199254740991', '9007199254740992', '9007199254740993', '9223372036854775807'],
    ...[
      '9223372036854775808',
      '18446744073709551615',
      '18446744073709551616',
      '00000000000000000001',
    ],
  ];
  const nonsense = [
    ...['999999999999999999999', '-2', '-9223372036854775808', '1.5', '-0.5', '1e3', '0x10', '0b1'],
    ...[
      'NaN',
      'nan',
      'Infinity',
      '-Infinity',
      'null',
      'undefined',
      'true',
      '--1',
      '%2B',
      '%20',
      '1%200',
    ],
    ...['1_000', '%EF%BC%91', '%D9%A3', '%00', '1%00', '1%0A', "1'--", '%5B%5D', '1;2', '½'],
  ].map((text) => encodeURI(text).replaceAll('%25', '%'));

  const places: readonly (readonly [string, (text: string) => string])[] = [
    ['_index_ of a get', (text) => requestOf('GET', `${queue}/sink?_index_=${text}`)],
    ['_length_', (text) => requestOf('GET', `${queue}/sink?_raw_=false&_length_=${text}`)],
    ['_index_ of a search', (text) => requestOf('GET', `${queue}?_search_=true&_index_=${text}`)],
    [
      '_index_ of a truncation',
      (text) => requestOf('DELETE', `${queue}/sink?_trunc_=true&_index_=${text}`),
    ],
    ['_indexes_ of a commit', (text) => requestOf('PUT', `${queue}/sink?_indexes_=${text}`)],
    ['_indexes_ of a deletion', (text) => requestOf('DELETE', `${queue}/sink?_indexes_=5,${text}`)],
    ['_priority_', (text) => put(`_priority_=${text}`)],
    [
      '_priority_ of a count',
      (text) => requestOf('GET', `${queue}?_count_=true&_priority_=${text}`),
    ],
  ];

  it.each(places)('%s: whole ones are answered, nonsense gets 400', async (name, request) => {
    for (const text of whole) {
      const zero = name === '_length_' && text === '0';
      const high = name.startsWith('_priority_') && Number(text) >= 2 ** 31;
      const status = await statusOf(request(text));
      const expected = zero || high ? [400] : [200, 204, 404];
      expect([text, expected.includes(status)]).toEqual([text, true]);
    }
    for (const text of nonsense) {
      const status = await statusOf(request(text));
      // Blanks around a priority or an index are passed over; nothing at all is the default.
      const isLenient = name.startsWith('_priority_') || name.startsWith('_indexes_');
      const blank = isLenient && /^\d*$/.test(decodeURIComponent(text).trim());
      expect([name, text, status]).toEqual([
        name,
        text,
        blank ? expect.toSatisfy((seen: number) => seen < 500) : 400,
      ]);
    }
  });

  it('durations: Go ones and bare seconds are answered, nonsense gets 400', async () => {
    const poll = (text: string) => requestOf('GET', `${queue}/sink?_timeout_=${text}`);
    for (const text of ['0', '1ms', '1ns', '0.001', '-1s', '-9999999h', '1ms1us', '.001s']) {
      expect([text, [200, 204].includes(await statusOf(poll(text)))]).toEqual([text, true]);
    }
    for (const text of [
      'x',
      '1',
      '1d',
      '1e3s',
      'NaN',
      'Infinity',
      '1s2',
      's',
      '1..s',
      '--1s',
      '0x1s',
    ]) {
      if (text === '1') continue;
      expect([text, await statusOf(poll(text))]).toEqual([text, 400]);
    }
  });

  it('takes as many indexes as an address holds, and -1 only where it means the end', async () => {
    const list = Array.from({ length: 8000 }, (_, at) => at + 1).join(',');
    expect(await statusOf(requestOf('PUT', `${queue}?_indexes_=${list}`))).toBe(200);
    expect(await statusOf(requestOf('DELETE', `${queue}/sink?_indexes_=${list}`))).toBe(200);
    expect(await statusOf(requestOf('GET', `${queue}/sink?_index_=-1`))).toBe(204);
    expect(await statusOf(requestOf('GET', `${queue}?_search_=true&_index_=-1`))).toBe(400);
    expect(await statusOf(requestOf('DELETE', `${queue}/sink?_trunc_=true&_index_=-1`))).toBe(400);
    expect(await statusOf(requestOf('PUT', `${queue}?_indexes_=-1`))).toBe(400);
  });
});

it('takes 64 further tokens of a service, and none more', async () => {
  for (let at = 0; at < 64; at++) await world.admin.addToken('two', `t${at}`, ['read']);
  await expect(world.admin.addToken('two', 't64', ['read'])).rejects.toThrow('at most 64');
  const { status } = await ask(world, requestOf('GET', queue, { token: 'x'.repeat(60_000) }));
  expect(status).toBe(401);
});

describe('consumers and groups', () => {
  let broker: Broker;
  let queues: Queues;
  beforeAll(async () => {
    const parts = { clock: systemClock, random: systemRandom, log: silentLog };
    broker = new Broker({ engine: new MemoryEngine(), ...parts });
    await broker.start();
    queues = await broker.open({ number: 1, name: 'x', settings: defaultSettings });
  });
  afterAll(() => broker.stop());
  const sink: WatchSink = {
    deliver: () => undefined,
    voided: () => undefined,
    closed: () => undefined,
    buffered: () => 0,
  };
  const watch = (gid: string, uid: string) =>
    queues.watch(
      'sink',
      {
        ...{ by: { gid, uid }, kind: 'eas', window: 1, from: 0, indexOnly: false },
        ...{ autoCommit: false, tags: new Map(), id: undefined, holding: [] },
      },
      sink,
    );

  it('come to their limits and not beyond; who leaves makes room for another', async () => {
    const groups = Array.from({ length: groupsMax }, (_, at) => watch(`g${at}`, 'u'));
    const [first] = await Promise.all(groups);
    await expect(watch('one-more', 'u')).rejects.toThrow(`${groupsMax} groups, its limit`);
    const rest = consumersMax - groupsMax;
    await Promise.all(Array.from({ length: rest }, (_, at) => watch('g0', `u${at}`)));
    await expect(watch('g0', 'one-more')).rejects.toThrow(`${consumersMax} consumers, its limit`);
    await first?.close('drain');
    await watch('g1', 'one-more');
    await expect(watch('g1', 'and-another')).rejects.toThrow('its limit');
  });
});
