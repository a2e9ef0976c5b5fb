// Bare Redis Streams: XADD, XREADGROUP, then XACK and XDEL in one transaction. A result goes to a
// second stream in the same transaction; the submitter reads it there and deletes it.

import { type Adapter, type Body, loops, type WorkOptions, windowOfEach } from '../adapter.ts';
import { openRedis, type Redis, type RedisAddress } from './redis.ts';

const input = 'input';
const sink = 'sink';
const group = 'workers';
const blockMs = 100;
const readMax = 256;

type Entry = readonly [id: Uint8Array, fields: readonly Uint8Array[]];

/** Commands of one turn of the event loop travel together, as ioredis does by itself. */
export async function openRedisStreams(address: RedisAddress): Promise<Adapter> {
  const redis = await openRedis(address);
  const makeGroups = async (): Promise<void> => {
    for (const stream of [input, sink]) {
      const made = redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM');
      await made.catch((error: unknown) => {
        if (!String(error).includes('BUSYGROUP')) throw error;
      });
    }
  };
  await makeGroups();
  return {
    form: 'bytes',
    put: (body) => redis.call('XADD', input, '*', 'p', body),
    fill: (bodies) => {
      const all = redis.pipeline();
      for (const body of bodies) all.call('XADD', input, '*', 'p', body);
      return all.exec();
    },
    work: async (options) => {
      const readers = await Promise.all(
        Array.from({ length: options.consumers + 1 }, () => openRedis(address)),
      );
      const working = readers.slice(1).map((reader, at) => {
        const count = Math.min(readMax, windowOfEach(options.consumers));
        const turn = (): Promise<void> => serve(redis, { reader, name: `c${at}`, count }, options);
        return loops(1, turn, options.failed);
      });
      const [first] = readers;
      const receiving =
        options.results && first !== undefined
          ? loops(1, () => receive(redis, first, options), options.failed)
          : undefined;
      return {
        stop: async () => {
          await Promise.all([...working, receiving].map((each) => each?.stop()));
          for (const reader of readers) reader.disconnect();
        },
      };
    },
    empty: async () => {
      await redis.flushall();
      await makeGroups();
    },
    close: async () => redis.disconnect(),
  };
}

interface Reader {
  readonly reader: Redis;
  readonly name: string;
  readonly count: number;
}

async function serve(
  redis: Redis,
  { reader, name, count }: Reader,
  { results, delivered, done, failed }: WorkOptions,
): Promise<void> {
  const entries = await read(
    reader,
    ...['XREADGROUP', 'GROUP', group, name, 'COUNT', count, 'BLOCK', blockMs],
    ...['STREAMS', input, '>'],
  );
  if (entries.length === 0) return;
  const turn = redis.pipeline().call('MULTI');
  for (const { id, body } of entries) {
    delivered(body);
    if (results) turn.call('XADD', sink, '*', 'p', body);
    turn.call('XACK', input, group, id);
    turn.call('XDEL', input, id);
  }
  // The next messages are read while this is on its way.
  turn
    .call('EXEC')
    .exec()
    .then((answers) => {
      const broken = answers.find(([error]) => error !== null);
      if (broken !== undefined) throw broken[0];
      if (!results) for (const { body } of entries) done(body);
    })
    .catch(failed);
}

async function receive(redis: Redis, reader: Redis, { done, failed }: WorkOptions): Promise<void> {
  const entries = await read(
    reader,
    ...['XREADGROUP', 'GROUP', group, 's', 'COUNT', readMax, 'BLOCK', blockMs],
    ...['NOACK', 'STREAMS', sink, '>'],
  );
  if (entries.length === 0) return;
  redis.call('XDEL', sink, ...entries.map(({ id }) => id)).catch(failed);
  for (const { body } of entries) done(body);
}

async function read(
  reader: Redis,
  ...command: readonly (string | number)[]
): Promise<readonly { readonly id: Uint8Array; readonly body: Body }[]> {
  // The form of an answer of XREADGROUP for one stream: its name, then its entries, each an id and
  // its fields.
  const answer = (await reader.callBuffer(...command)) as
    | readonly [Uint8Array, readonly Entry[]]
    | null;
  const [, entries = []] = answer ?? [];
  return entries.map(([id, fields]) => ({ id, body: fields[1] ?? '' }));
}
