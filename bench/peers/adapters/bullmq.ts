// BullMQ: a Queue, Workers, and for results the QueueEvents of the submitter. Completed jobs are
// removed, as its manual advises for queues under load.

import { type Adapter, type Body, type WorkOptions, windowOfEach } from '../adapter.ts';
import { load } from '../packages.ts';
import { openRedis, type RedisAddress } from './redis.ts';

interface Job {
  readonly data: { readonly p: string };
}

interface Closable {
  waitUntilReady(): Promise<unknown>;
  close(force?: boolean): Promise<void>;
}

interface Worker extends Closable {
  on(event: 'completed', listener: (job: Job) => void): void;
  on(event: 'error', listener: (error: unknown) => void): void;
}

interface QueueEvents extends Closable {
  on(event: 'completed', listener: (event: { readonly returnvalue: string }) => void): void;
  on(event: 'error', listener: (error: unknown) => void): void;
}

interface Queue extends Closable {
  add(name: string, data: object, options: object): Promise<unknown>;
  addBulk(jobs: readonly object[]): Promise<unknown>;
}

interface BullMq {
  Queue: new (name: string, options: object) => Queue;
  Worker: new (name: string, run: (job: Job) => Promise<unknown>, options: object) => Worker;
  QueueEvents: new (name: string, options: object) => QueueEvents;
}

const name = 'bench';
/** For one worker: with 100 it completes more than with 50, measured once. */
const concurrencyMax = 100;
const kept = { removeOnComplete: true, removeOnFail: true } as const;

/** Workers share the connection for commands and have each its own to wait on. */
export async function openBullMq(address: RedisAddress): Promise<Adapter> {
  const { Queue, Worker, QueueEvents } = await load<BullMq>('bullmq');
  const connection = await openRedis(address);
  const open = async (): Promise<Queue> => {
    const queue = new Queue(name, { connection, skipMetasUpdate: false });
    await queue.waitUntilReady();
    return queue;
  };
  const queue = await open();
  return {
    form: 'text',
    put: (p) => queue.add('m', { p }, kept),
    fill: (bodies) => queue.addBulk(bodies.map((p) => ({ name: 'm', data: { p }, opts: kept }))),
    work: async ({ consumers, results, delivered, done, failed }: WorkOptions) => {
      const events = results ? new QueueEvents(name, { connection }) : undefined;
      events?.on('completed', ({ returnvalue }) => done(returnvalue));
      events?.on('error', failed);
      await events?.waitUntilReady();
      const concurrency = Math.min(concurrencyMax, windowOfEach(consumers));
      const run = async ({ data }: Job): Promise<Body | undefined> => {
        delivered(data.p);
        return results ? data.p : undefined;
      };
      const workers = Array.from({ length: consumers }, () => {
        const worker = new Worker(name, run, { connection, concurrency });
        if (!results) worker.on('completed', ({ data }) => done(data.p));
        worker.on('error', failed);
        return worker;
      });
      await Promise.all(workers.map((worker) => worker.waitUntilReady()));
      return {
        stop: async () => {
          await Promise.all(workers.map((worker) => worker.close()));
          await events?.close();
        },
      };
    },
    empty: async () => {
      await connection.flushall();
    },
    close: async () => {
      await queue.close();
      connection.disconnect();
    },
  };
}
