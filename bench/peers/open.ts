// Which adapter speaks to which queue: the one list of them for load programs and HTTP fronts.

import type { Adapter } from './adapter.ts';
import { openBullMq } from './adapters/bullmq.ts';
import { openGraphileWorker } from './adapters/graphile-worker.ts';
import { type JetStreamAddress, openJetStream } from './adapters/jetstream.ts';
import { openPgBoss } from './adapters/pg-boss.ts';
import type { PostgresAddress } from './adapters/pool.ts';
import { openPostgres } from './adapters/postgres.ts';
import type { RedisAddress } from './adapters/redis.ts';
import { openRedisStreams } from './adapters/redis-streams.ts';
import { openSluice, type SluiceAddress } from './adapters/sluice.ts';

/** An adapter and where its server is. */
export type Address =
  | ({ readonly adapter: 'sluice' } & SluiceAddress)
  | ({ readonly adapter: 'bullmq' | 'redis-streams' } & RedisAddress)
  | ({ readonly adapter: 'pg-boss' | 'graphile-worker' | 'postgres' } & PostgresAddress)
  | ({ readonly adapter: 'jetstream' } & JetStreamAddress);

/** Connects; makes queues, streams and tables that are not there yet. */
export function openAdapter(address: Address): Promise<Adapter> {
  switch (address.adapter) {
    case 'sluice':
      return openSluice(address);
    case 'bullmq':
      return openBullMq(address);
    case 'redis-streams':
      return openRedisStreams(address);
    case 'pg-boss':
      return openPgBoss(address);
    case 'graphile-worker':
      return openGraphileWorker(address);
    case 'postgres':
      return openPostgres(address);
    case 'jetstream':
      return openJetStream(address);
  }
}
