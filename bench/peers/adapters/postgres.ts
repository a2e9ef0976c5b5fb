// A queue of one table on plain PostgreSQL: SELECT ... FOR UPDATE SKIP LOCKED, then DELETE in the
// same transaction, so that a message is completed once or comes back. A result is inserted in
// that transaction too, and the submitter deletes it as it takes it.

import {
  type Adapter,
  type Body,
  loops,
  pause,
  type WorkOptions,
  windowOfAll,
} from '../adapter.ts';
import { connections, openPool, type Pool, type PostgresAddress } from './pool.ts';

interface Row {
  readonly id: string;
  readonly body: Uint8Array;
}

/** One consumer as users would write it: several loops, each with a batch in a transaction. */
const loopsOfOne = 4;
const idleMs = 1;

const tables = `
  CREATE TABLE IF NOT EXISTS input (id bigserial PRIMARY KEY, body bytea NOT NULL);
  CREATE TABLE IF NOT EXISTS sink (id bigserial PRIMARY KEY, body bytea NOT NULL)`;
const insert = 'INSERT INTO input (body) VALUES ($1)';
const insertMany = 'INSERT INTO input (body) SELECT unnest($1::bytea[])';
const insertResults = 'INSERT INTO sink (body) SELECT unnest($1::bytea[])';
const select = 'SELECT id, body FROM input ORDER BY id FOR UPDATE SKIP LOCKED LIMIT $1';
const remove = 'DELETE FROM input WHERE id = ANY($1::bigint[])';
const takeResults = `
  DELETE FROM sink WHERE id IN
    (SELECT id FROM sink ORDER BY id FOR UPDATE SKIP LOCKED LIMIT $1)
  RETURNING id, body`;

/** Statements are prepared: they have names. */
export async function openPostgres(address: PostgresAddress): Promise<Adapter> {
  const pool = await openPool(address);
  const workers = await openPool(address);
  await pool.query(tables);
  return {
    form: 'bytes',
    put: (body) => pool.query({ name: 'insert', text: insert, values: [body] }),
    fill: (bodies) => pool.query({ name: 'insertMany', text: insertMany, values: [bodies] }),
    work: async (options) => {
      const count = Math.max(loopsOfOne, options.consumers);
      const batch = Math.ceil(windowOfAll / count);
      const working = loops(count, () => serve(workers, batch, options), options.failed);
      const receiving = options.results
        ? loops(1, () => receive(workers, options), options.failed)
        : undefined;
      return {
        stop: async () => {
          await working.stop();
          await receiving?.stop();
        },
      };
    },
    empty: async () => {
      await pool.query('TRUNCATE input, sink');
    },
    close: async () => {
      await Promise.all([pool.end(), workers.end()]);
    },
  };
}

async function serve(
  pool: Pool,
  batch: number,
  { results, delivered, done }: WorkOptions,
): Promise<void> {
  const client = await pool.connect();
  const bodies: Body[] = [];
  try {
    // Not awaited one by one: pg sends them in order, the later ones wait in its own queue.
    await client.query('BEGIN');
    const { rows } = await client.query<Row>({ name: 'select', text: select, values: [batch] });
    for (const { body } of rows) {
      delivered(body);
      bodies.push(body);
    }
    if (rows.length > 0) {
      const ids = rows.map(({ id }) => id);
      await client.query({ name: 'remove', text: remove, values: [ids] });
      if (results) {
        await client.query({ name: 'results', text: insertResults, values: [bodies] });
      }
    }
    await client.query('COMMIT');
  } finally {
    client.release();
  }
  if (bodies.length === 0) await pause(idleMs);
  else if (!results) for (const body of bodies) done(body);
}

async function receive(pool: Pool, { done }: WorkOptions): Promise<void> {
  const { rows } = await pool.query<Row>({
    name: 'takeResults',
    text: takeResults,
    values: [Math.ceil(windowOfAll / connections)],
  });
  for (const { body } of rows) done(body);
  if (rows.length === 0) await pause(idleMs);
}
