// The queues that are measured side by side: how each is started, and what its answer means.

import { payloadBytes, type Room, service, startServer, token } from '../sluice-server.ts';
import type { World } from '../world.ts';
import type { Address } from './open.ts';
import {
  type PeerServer,
  postgresDatabase,
  postgresUser,
  startNats,
  startPostgres,
  startRedis,
} from './servers.ts';

export interface Peer {
  readonly name: string;
  readonly title: string;
  /** What has happened to a message when its put is answered. */
  readonly durability: string;
  /** Versions of npm packages that are part of it. */
  readonly packages: readonly string[];
  /** On the folder of an earlier start it has what that one kept. */
  start(world: World, options: StartOptions): Promise<Started>;
}

export interface StartOptions {
  readonly folder: string;
  readonly payloadBytes: number;
}

export interface Started {
  readonly address: Address;
  readonly server: Omit<PeerServer, 'port'>;
}

export const sluiceName = 'sluice';

const flushed = 'flushed to disk';

export const peers: readonly Peer[] = [
  {
    name: sluiceName,
    title: 'Sluice',
    durability: flushed,
    packages: [],
    start: async (world, options) => {
      const room = roomFor(options.payloadBytes);
      const server = await startServer(world, { folder: options.folder, room });
      const address = { adapter: 'sluice', url: server.url, service, token } as const;
      return { address, server: { ...server, version: 'this commit' } };
    },
  },
  redisPeer('bullmq', 'BullMQ', 'everysec', ['bullmq', 'ioredis']),
  redisPeer('bullmq', 'BullMQ', 'always', ['bullmq', 'ioredis']),
  redisPeer('redis-streams', 'Redis Streams', 'everysec', ['ioredis']),
  redisPeer('redis-streams', 'Redis Streams', 'always', ['ioredis']),
  postgresPeer('pg-boss', 'pg-boss', ['pg-boss', 'pg']),
  postgresPeer('graphile-worker', 'graphile-worker', ['graphile-worker', 'pg']),
  postgresPeer('postgres', 'PostgreSQL, SKIP LOCKED', ['pg']),
  natsPeer('default'),
  natsPeer('always'),
];

function redisPeer(
  adapter: 'bullmq' | 'redis-streams',
  title: string,
  fsync: 'always' | 'everysec',
  packages: readonly string[],
): Peer {
  return {
    name: `${adapter}-${fsync}`,
    title: `${title}, ${fsync}`,
    durability: fsync === 'always' ? flushed : 'in memory, flushed within a second',
    packages,
    start: async (world, { folder }) => {
      const server = await startRedis(world, { folder, fsync });
      return { address: { adapter, port: server.port }, server };
    },
  };
}

function postgresPeer(
  name: 'pg-boss' | 'graphile-worker' | 'postgres',
  title: string,
  packages: readonly string[],
): Peer {
  return {
    name,
    title,
    durability: flushed,
    packages,
    start: async (world, { folder }) => {
      const server = await startPostgres(world, { folder });
      const where = { port: server.port, user: postgresUser, database: postgresDatabase };
      return { address: { adapter: name, ...where }, server };
    },
  };
}

function natsPeer(sync: 'default' | 'always'): Peer {
  return {
    name: sync === 'always' ? 'jetstream-always' : 'jetstream',
    title: sync === 'always' ? 'JetStream, sync always' : 'JetStream',
    durability: sync === 'always' ? flushed : 'written to a file, flushed within two minutes',
    packages: ['@nats-io/jetstream', '@nats-io/transport-node'],
    start: async (world, { folder }) => {
      const server = await startNats(world, { folder, sync });
      return { address: { adapter: 'jetstream', port: server.port }, server };
    },
  };
}

/** Room for more than a million small messages, or for some thousand large ones. */
function roomFor(bytes: number): Room {
  return bytes <= payloadBytes
    ? { messages: 1_500_000, memoryMb: 8000 }
    : { messages: 6_000, memoryMb: 16_000 };
}
