// pg-boss. Its own `work` asks for jobs every half second at most, which would measure that pause:
// here loops of its `fetch` and `complete` ask again at once. A result is a job of a second queue,
// which the submitter fetches and completes.

import {
  type Adapter,
  type Body,
  loops,
  pause,
  type WorkOptions,
  windowOfAll,
} from '../adapter.ts';
import { load } from '../packages.ts';
import { connections, openPool, type PostgresAddress } from './pool.ts';

interface Job {
  readonly id: string;
  readonly data: { readonly p: string };
}

interface Boss {
  start(): Promise<unknown>;
  stop(options: object): Promise<unknown>;
  on(event: 'error', listener: (error: unknown) => void): void;
  createQueue(name: string): Promise<void>;
  send(name: string, data: object): Promise<unknown>;
  insert(jobs: readonly object[]): Promise<unknown>;
  fetch(name: string, options: object): Promise<readonly Job[]>;
  complete(name: string, ids: readonly string[]): Promise<unknown>;
}

const input = 'input';
const sink = 'sink';
const loopsOfOne = 4;
const idleMs = 1;

/** Its schema is made at the first start. */
export async function openPgBoss(address: PostgresAddress): Promise<Adapter> {
  const { default: PgBoss } = await load<{ default: new (options: object) => Boss }>('pg-boss');
  const open = async (): Promise<Boss> => {
    const made = new PgBoss({ host: '127.0.0.1', ...address, max: connections });
    made.on('error', () => undefined);
    await made.start();
    return made;
  };
  const boss = await open();
  const worker = await open();
  // One after the other: making two at once can deadlock in the database.
  await boss.createQueue(input);
  await boss.createQueue(sink);
  return {
    form: 'text',
    put: (p) => boss.send(input, { p }),
    fill: (bodies) => boss.insert(bodies.map((p) => ({ name: input, data: { p } }))),
    work: async (options) => {
      const count = Math.max(loopsOfOne, options.consumers);
      const batchSize = Math.ceil(windowOfAll / count);
      const working = loops(count, () => serve(worker, batchSize, options), options.failed);
      const receiving = options.results
        ? loops(loopsOfOne, () => receive(worker, batchSize, options), options.failed)
        : undefined;
      return {
        stop: async () => {
          await working.stop();
          await receiving?.stop();
        },
      };
    },
    empty: async () => {
      const pool = await openPool(address);
      await pool.query('TRUNCATE pgboss.job, pgboss.archive');
      await pool.end();
    },
    close: async () => {
      const how = { graceful: false, wait: true };
      await Promise.all([boss.stop(how), worker.stop(how)]);
    },
  };
}

async function serve(
  boss: Boss,
  batchSize: number,
  { results, delivered, done }: WorkOptions,
): Promise<void> {
  const jobs = await boss.fetch(input, { batchSize });
  if (jobs.length === 0) return pause(idleMs);
  for (const { data } of jobs) delivered(data.p);
  if (results) await boss.insert(jobs.map(({ data }) => ({ name: sink, data })));
  await boss.complete(
    input,
    jobs.map(({ id }) => id),
  );
  if (!results) for (const { data } of jobs) done(data.p satisfies Body);
}

async function receive(boss: Boss, batchSize: number, { done }: WorkOptions): Promise<void> {
  const jobs = await boss.fetch(sink, { batchSize });
  if (jobs.length === 0) return pause(idleMs);
  await boss.complete(
    sink,
    jobs.map(({ id }) => id),
  );
  for (const { data } of jobs) done(data.p);
}
