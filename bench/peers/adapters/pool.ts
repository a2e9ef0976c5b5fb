// What the adapters on PostgreSQL use of pg.

import { load } from '../packages.ts';

export interface PostgresAddress {
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

export interface Sql {
  query<Row>(
    statement:
      | string
      | { readonly name: string; readonly text: string; readonly values: unknown[] },
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Row[] }>;
}

export interface Pool extends Sql {
  connect(): Promise<Sql & { release(): void }>;
  end(): Promise<void>;
  on(event: 'error', listener: (error: unknown) => void): void;
  on(event: 'connect', listener: (client: Emitter) => void): void;
}

interface Emitter {
  on(event: 'error', listener: (error: unknown) => void): void;
}

/** Connections of a submitter, and of all consumers together: each has a pool of its own, as in
 * programs of their own, so that neither waits for the other's. */
export const connections = 32;

/** Nothing is connected yet. */
export async function openPool({ port, user, database }: PostgresAddress): Promise<Pool> {
  const { Pool: Client } = await load<{ Pool: new (options: object) => Pool }>('pg');
  const pool = new Client({ host: '127.0.0.1', port, user, database, max: connections });
  // Connections end with the server; whatever waits for an answer hears of it by itself.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
