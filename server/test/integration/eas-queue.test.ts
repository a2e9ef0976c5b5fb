// Every operation of the EAS protocol but the watch, over real sockets against real queues.

import { createHmac } from 'node:crypto';
import { decodeAttributes } from '@sluice/sdk/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { eventually, idOf, protobuf, startService, Watcher } from './eas-broker.ts';
import { type Answer, closeWorld, token } from './eas-world.ts';

afterEach(closeWorld);

/** Who `Watcher.open` is when it is not told. */
const watcherHeaders = {
  'x-eas-queueservice-redis-uid': 'u1',
  'x-eas-queueservice-redis-gid': 'eas',
};
const rear = { 'x-eas-queueservice-access-rear': 'true' };

describe('put', () => {
  it('answers rising indexes as bare digits with the request id in a header', async () => {
    const { input } = await startService();
    const indexes: number[] = [];
    for (let round = 0; round < 10; round++) {
      const answer = await input.post('', `body ${round}`);
      expect(answer.status).toBe(200);
      expect(answer.text).toMatch(/^[1-9]\d*$/);
      expect(answer.headers['x-eas-queueservice-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      indexes.push(Number(answer.text));
    }
    expect(indexes).toEqual([...new Set(indexes)].sort((one, other) => one - other));
  });

  it("keeps the caller's request id, and answers the first index to a repeated put", async () => {
    const { input } = await startService();
    const first = await input.post('requestId=mine', 'same');
    const again = await input.post('requestId=mine', 'same');
    const other = await input.post('requestId=mine', 'different');
    expect(first.headers['x-eas-queueservice-request-id']).toBe('mine');
    expect(again.text).toBe(first.text);
    expect(again.headers['x-eas-queueservice-request-id']).toBe('mine');
    expect(Number(other.text)).toBeGreaterThan(Number(first.text));
  });

  it('stores tags of any letters, and no reserved parameter and no path as a tag', async () => {
    const { input } = await startService();
    await input.post(
      '/v1/x?k=a+b%26c%3Dd%2F%C3%A9%E6%BC%A2%2B%25&_unknown_=1&requestId=r%C3%A9',
      'x',
    );
    const [frame] = await input.frames('_auto_delete_=false');
    expect(frame?.tags).toEqual(
      new Map([
        ['k', 'a b&c=d/é漢+%'],
        ['requestId', 'ré'],
      ]),
    );
  });

  it('takes the signature of a predict client, whichever path is called', async () => {
    const { input } = await startService();
    const signed = ['POST', 'md5', 'application/octet-stream', 'date', '/api/predict/svc'];
    const signature = createHmac('sha1', token).update(signed.join('\n')).digest('base64');
    const headers = {
      authorization: `EAS ${signature}`,
      'content-md5': 'md5',
      'content-type': 'application/octet-stream',
      date: 'date',
    };
    expect((await input.post('/v1/x?color=red', 'x', headers)).status).toBe(200);
    expect((await input.post('', 'x', { ...headers, date: 'other' })).status).toBe(401);
  });

  it('answers 450 when the queue is full and changes nothing', async () => {
    const queue = { capacity: 2, payloadBytesMax: 8192, autoEvict: false, expireMs: 0 };
    const { input } = await startService({ settings: { source: queue } });
    await input.post('', 'a');
    await input.post('', 'b');
    const full = await input.post('', 'c');
    expect(full.status).toBe(450);
    expect(full.text).not.toContain('\n');
    expect((await input.attributes())['stream.length']).toBe('2');
  });

  it('refuses a payload over the limit of its own queue', async () => {
    const small = { capacity: 10, payloadBytesMax: 4, autoEvict: false, expireMs: 0 };
    const { input, sink } = await startService({ settings: { sink: small } });
    expect((await input.post('', 'hello')).status).toBe(200);
    expect((await sink.post('', 'hello')).status).toBe(413);
    expect((await sink.attributes())['meta.maxPayloadBytes']).toBe('4');
  });

  it.each(['_priority_=-1', '_priority_=2147483648', '_priority_=x', 'requestId=%0a'])(
    'refuses %s with 400 and stores nothing',
    async (query) => {
      const { input } = await startService();
      expect((await input.post(query, 'x')).status).toBe(400);
      expect((await input.post('/a/%2e%2e/b', 'x')).status).toBe(400);
      expect((await input.post('/a%2fb', 'x')).status).toBe(400);
      expect((await input.attributes())['stream.length']).toBe('0');
    },
  );
});

describe('get', () => {
  it('hands out a list in JSON to whoever asks for nothing else, as PAI does', async () => {
    const { sink } = await startService();
    const put = await sink.post('requestId=r1&color=red', 'result');
    const answer = await sink.get('_raw_=false&requestId=r1');
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.text)).toEqual([
      {
        index: Number(put.text),
        tags: { color: 'red', requestId: 'r1' },
        data: Buffer.from('result').toString('base64'),
      },
    ]);
  });

  it('hands out the payload itself with _raw_, or without saying', async () => {
    const { sink } = await startService();
    for (const query of ['', '_raw_=true']) {
      const headers = { 'content-type': 'image/png' };
      const put = await sink.post('requestId=r1', 'png', headers);
      await sink.post('', 'later');
      const answer = await sink.get(`${query}&_length_=2`);
      expect(answer.text).toBe('png');
      expect(answer.headers['content-type']).toBe('image/png');
      expect(answer.headers['x-eas-queueservice-request-id']).toBe('r1');
      expect(answer.headers['x-eas-queueservice-index']).toBe(put.text);
      expect((await sink.get('')).headers['content-type']).toBe('application/octet-stream');
    }
  });

  it('deletes what it hands out, unless it is told not to', async () => {
    const { sink } = await startService();
    await sink.post('', 'a');
    expect((await sink.frames('_auto_delete_=false')).length).toBe(1);
    expect((await sink.frames('')).length).toBe(1);
    expect((await sink.frames('')).length).toBe(0);
    expect((await sink.attributes())['stream.length']).toBe('0');
  });

  it('says nothing found with 204, and in protobuf with an empty 200 for JAVA', async () => {
    const { sink } = await startService();
    const json = await sink.get('_raw_=false');
    const raw = await sink.get('');
    const proto = await sink.get('_raw_=false', { accept: protobuf });
    expect([json.status, json.body.length]).toEqual([204, 0]);
    expect([raw.status, raw.body.length]).toEqual([204, 0]);
    expect([proto.status, proto.body.length]).toEqual([200, 0]);
    expect(proto.headers['content-length']).toBe('0');
  });

  it('finds by index, length, tags and request id, in the order of indexes', async () => {
    const { sink } = await startService();
    const put = async (query: string) => Number((await sink.post(query, query)).text);
    const one = await put('color=red&size=1&_priority_=1');
    const two = await put('color=blue&requestId=r2');
    const three = await put('color=red&size=2&_priority_=9');
    const indexes = async (query: string) =>
      (await sink.frames(`_auto_delete_=false&${query}`)).map(({ index }) => index);
    expect(await indexes('_length_=10')).toEqual([one, two, three]);
    expect(await indexes('')).toEqual([one]);
    expect(await indexes(`_index_=${two}&_length_=10`)).toEqual([two, three]);
    expect(await indexes('_index_=-1&_length_=10')).toEqual([]);
    expect(await indexes('color=red&_length_=10')).toEqual([one, three]);
    expect(await indexes('color=red&size=2&_length_=10')).toEqual([three]);
    expect(await indexes('requestId=r2&_index_=0')).toEqual([two]);
    expect(await indexes('requestId=nobody')).toEqual([]);
  });

  it('answers a long poll as soon as enough messages are there', async () => {
    const { sink } = await startService();
    const poll = sink.frames('_timeout_=60s&_length_=2');
    await sink.post('', 'a');
    await sink.post('', 'b');
    expect((await poll).map(({ data }) => Buffer.from(data).toString())).toEqual(['a', 'b']);
  });

  it('answers a long poll a little before its time with what is there', async () => {
    const clock = new VirtualClock(new SeededRandom(1));
    const { sink } = await startService({ clock });
    const put = sink.post('', 'a');
    await settled(clock, put);
    let answer: Answer | undefined;
    const poll = sink.get('_timeout_=5s&_length_=2&_raw_=false').then((value) => {
      answer = value;
    });
    // A second poll that is answered at once shows that the first one has been heard.
    await settled(clock, sink.get('_index_=-1&_raw_=false'));
    await settled(clock, sink.get('_index_=-1&_raw_=false'));
    await clock.advance(4749);
    await settled(clock, sink.get('_index_=-1&_raw_=false'));
    expect(answer).toBeUndefined();
    await clock.advance(1);
    await settled(clock, poll);
    expect(answer?.status).toBe(200);
    expect(JSON.parse(answer?.text ?? '').length).toBe(1);
  });

  it('speaks no flatbuffers and refuses what it cannot read', async () => {
    const { sink } = await startService();
    const accept = 'application/x-flatbuffers';
    expect((await sink.get('_raw_=false', { accept })).status).toBe(406);
    expect((await sink.get('_attrs_=true', { accept })).status).toBe(406);
    for (const query of ['_timeout_=soon', '_index_=x', '_index_=-2', '_length_=0', 'requestId=']) {
      expect((await sink.get(query)).status).toBe(400);
    }
    expect((await sink.get('_timeout_=0')).status).toBe(204);
  });
});

describe('looking', () => {
  it('counts what matches, as a bare number', async () => {
    const { input } = await startService();
    await input.post('color=red&_priority_=1', 'a');
    await input.post('color=red', 'b');
    await input.post('', 'c');
    const count = async (query: string) => (await input.get(`_count_=true&${query}`)).text;
    expect(await count('')).toBe('3');
    expect(await count('color=red')).toBe('2');
    expect(await count('_priority_=1')).toBe('1');
    expect(await count('color=red&_priority_=0')).toBe('1');
    expect(await count('color=green')).toBe('0');
  });

  it('says how long a message waits and who works on it', async () => {
    const { input } = await startService();
    const indexes: string[] = [];
    for (const body of ['a', 'b', 'c']) indexes.push((await input.post('', body)).text);
    const search = async (index: string | undefined) => {
      const group = { 'x-eas-queueservice-redis-gid': 'svc' };
      const answer = await input.get(`_search_=true&_index_=${index}`, group);
      return [answer.status, answer.status === 200 ? JSON.parse(answer.text) : answer.text];
    };
    expect(await search(indexes[2])).toEqual([
      200,
      { ConsumerId: expect.any(String), IsPending: false, WaitCount: 2 },
    ]);
    const watcher = await Watcher.open(input.port, '_window_=1', { gid: 'svc', uid: 'w1' });
    await watcher.until(1);
    expect(await search(indexes[0])).toEqual([
      200,
      { ConsumerId: 'svc.w1', IsPending: true, WaitCount: 0 },
    ]);
    expect(await search('999999')).toEqual([404, 'no data in stream']);
    expect((await input.get('_search_=true')).status).toBe(400);
  });

  it('shows attributes in both encodings, with the consumers there are', async () => {
    const { input } = await startService();
    const empty = await input.attributes();
    expect(empty).toMatchObject({
      'meta.header.user': 'X-EAS-QueueService-Redis-Uid',
      'meta.state': 'Normal',
      'meta.backend': 'memory',
      'meta.maxPayloadBytes': '8192',
      'stream.length': '0',
      'stream.approxMaxLength': '230399',
      'stream.firstEntry': '0',
      'stream.lastEntry': '0',
      'consumers.stats.total': '0',
    });
    const first = await input.post('', 'a');
    await Watcher.open(input.port, '_window_=5&_index_only_=true&color=red');
    const answer = await input.get('_attrs_=true', { accept: protobuf });
    expect(answer.headers['content-type']).toBe(protobuf);
    const attributes = decodeAttributes(answer.body);
    expect(attributes.get('stream.firstEntry')).toBe(first.text);
    expect(attributes.get('consumers.stats.total')).toBe('1');
    expect(attributes.get('consumers.list.[0]')).toMatch(
      new RegExp(
        '^Id: eas\\.u1, Index: \\d+, Pending: 0, Status: Running, Idle: [\\d.]+m?s, ' +
          'Window: 5, Slots: 5, AutoCommit: false, Tags: tags\\[color=red\\]$',
      ),
    );
  });
});

describe('changing', () => {
  it('deletes by index and passes over what is not there', async () => {
    const { input } = await startService();
    const one = (await input.post('', 'a')).text;
    const two = (await input.post('', 'b')).text;
    const answer = await input.delete(`_indexes_=${one},99999,0`);
    expect([answer.status, answer.text]).toEqual([200, 'OK']);
    expect((await input.frames('_length_=10')).map(({ index }) => String(index))).toEqual([two]);
    expect((await input.delete('')).status).toBe(400);
  });

  it('truncates below an index, which itself stays', async () => {
    const { input } = await startService();
    for (const body of ['a', 'b']) await input.post('', body);
    const third = (await input.post('', 'c')).text;
    const answer = await input.delete(`_index_=${third}&_trunc_=true`);
    expect([answer.status, answer.text]).toEqual([200, 'OK']);
    const { 'stream.lastEntry': last, 'stream.length': length } = await input.attributes();
    expect([last, length]).toEqual([third, '1']);
    await input.delete(`_index_=${Number(last) + 1}&_trunc_=true`);
    expect(await input.attributes()).toMatchObject({
      'stream.length': '0',
      'stream.lastEntry': third,
    });
    expect((await input.delete('_trunc_=true')).status).toBe(400);
  });

  it('commits unknown indexes and 0, which change nothing', async () => {
    const { input } = await startService();
    await input.post('', 'a');
    for (const query of ['_indexes_=0', '_indexes_=1', '_indexes_=77,78', '_indexes_=']) {
      const answer = await input.put(query);
      expect([answer.status, answer.text]).toEqual([200, 'OK']);
    }
    expect((await input.attributes())['stream.length']).toBe('1');
    expect((await input.put('')).status).toBe(400);
  });

  it('delivers again what was committed negatively', async () => {
    const { input } = await startService();
    const index = (await input.post('', 'a')).text;
    const watcher = await Watcher.open(input.port, '_window_=1');
    await watcher.until(1);
    const answer = await input.put(`_indexes_=${index}&_negative_=true`, '', watcherHeaders);
    expect([answer.status, answer.text]).toEqual([200, 'OK']);
    await watcher.until(2);
    expect(watcher.indexes.map(String)).toEqual([index, index]);
  });

  it('ends a queue: puts 410, gets go on, and a watch on an empty one is refused', async () => {
    const { input } = await startService();
    await input.post('', 'a');
    expect((await input.post('_eos_=true')).status).toBe(200);
    expect((await input.post('', 'b')).status).toBe(410);
    expect((await input.attributes())['meta.state']).toBe('End');
    expect((await input.frames('')).length).toBe(1);
    await eventually(
      () => Watcher.open(input.port, '_window_=1').catch((error: Error) => error.message),
      (outcome) => outcome === 'Unexpected server response: 410',
    );
  });

  it('drops what is left at a forced end', async () => {
    const { input } = await startService();
    await input.post('', 'a');
    expect((await input.post('_eos_=true&_force_=true')).status).toBe(200);
    expect((await input.attributes())['stream.length']).toBe('0');
  });
});

describe('the rear queue', () => {
  it('is a queue of its own, behind a header', async () => {
    const { input } = await startService();
    await input.post('', 'front');
    const put = await input.post('', 'rear', rear);
    expect(put.status).toBe(200);
    expect((await input.attributes())['stream.length']).toBe('1');
    const attributes = await input.attributes(rear);
    expect(attributes['stream.length']).toBe('1');
    expect(attributes['meta.name']).toBe('svc (rear)');
    expect((await input.get('', rear)).text).toBe('rear');
    expect((await input.get('', rear)).status).toBe(204);
    expect((await input.get('')).text).toBe('front');
  });
});

describe('the request id across both queues', () => {
  it('ties a result to the request whose id it carries', async () => {
    const { input, sink } = await startService();
    await input.post('requestId=r1', 'question');
    const watcher = await Watcher.open(input.port, '_window_=1', { gid: 'svc', uid: 'w1' });
    await watcher.until(1);
    const id = idOf(watcher.frames[0]);
    const worker = {
      'x-eas-queueservice-redis-gid': 'svc',
      'x-eas-queueservice-redis-uid': 'w1',
    };
    const result = await sink.post(`requestId=${id}`, 'answer', worker);
    const again = await sink.post(`requestId=${id}`, 'answer', worker);
    expect(again.text).toBe(result.text);
    const [frame] = await sink.frames('requestId=r1&_timeout_=60s');
    expect(Buffer.from(frame?.data ?? []).toString()).toBe('answer');
  });
});

/** Runs what is due until the promise settles, without moving time. */
async function settled<Value>(clock: VirtualClock, promise: Promise<Value>): Promise<Value> {
  let over = false;
  const watched = promise.finally(() => {
    over = true;
  });
  while (!over) await clock.settle();
  return watched;
}
