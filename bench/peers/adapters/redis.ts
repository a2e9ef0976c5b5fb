// What both adapters on Redis use of ioredis.

import { load } from '../packages.ts';

export interface RedisAddress {
  readonly port: number;
}

export interface Redis {
  call(...parts: readonly (string | number | Uint8Array)[]): Promise<unknown>;
  callBuffer(...parts: readonly (string | number | Uint8Array)[]): Promise<unknown>;
  pipeline(): Pipeline;
  flushall(): Promise<unknown>;
  quit(): Promise<unknown>;
  disconnect(): void;
  on(event: 'error', listener: (error: unknown) => void): void;
}

export interface Pipeline {
  call(...parts: readonly (string | number | Uint8Array)[]): Pipeline;
  exec(): Promise<readonly (readonly [unknown, unknown])[]>;
}

/** A connection; BullMQ asks for endless retries on each of its own. */
export async function openRedis({ port }: RedisAddress): Promise<Redis> {
  const { Redis: Client } = await load<{ Redis: new (options: object) => Redis }>('ioredis');
  const redis = new Client({ host: '127.0.0.1', port, maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  return redis;
}
