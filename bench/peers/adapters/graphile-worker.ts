// graphile-worker with what its manual names for throughput: a local queue and batched completion.
// A message counts as done when its task has ended; the batch that tells the database follows. A
// result is a job of a second task, which the submitter runs.

import { type Adapter, pause, type WorkOptions, windowOfAll } from '../adapter.ts';
import { load } from '../packages.ts';
import { connections, openPool, type PostgresAddress } from './pool.ts';

interface Payload {
  readonly p: string;
}

interface Tools {
  addJob(task: string, payload: Payload): Promise<unknown>;
}

interface Utilities extends Tools {
  addJobs(jobs: readonly object[]): Promise<unknown>;
  migrate(): Promise<void>;
  release(): Promise<void>;
}

interface Runner {
  stop(): Promise<void>;
}

type Task = (payload: Payload, tools: Tools) => Promise<void>;

interface GraphileWorker {
  makeWorkerUtils(options: object): Promise<Utilities>;
  run(options: object): Promise<Runner>;
  Logger: new (make: () => () => void) => object;
}

/** Tasks at once of the one consumer: more only wait for connections, as its log says. */
const concurrentMax = connections;
/** How often it looks for jobs of which no notice came. */
const pollInterval = 100;
const stopMs = 100;

/** Its schema is made at the first start. */
export async function openGraphileWorker(address: PostgresAddress): Promise<Adapter> {
  const { makeWorkerUtils, run, Logger } = await load<GraphileWorker>('graphile-worker');
  const logger = new Logger(() => () => undefined);
  const pgPool = await openPool(address);
  const workers = await openPool(address);
  const utilities = await makeWorkerUtils({ pgPool, logger });
  await utilities.migrate();
  return {
    form: 'text',
    put: (p) => utilities.addJob('input', { p: `${p}` }),
    fill: (bodies) =>
      utilities.addJobs(bodies.map((p) => ({ identifier: 'input', payload: { p } }))),
    work: async ({ consumers, results, delivered, done, failed }: WorkOptions) => {
      const input: Task = async ({ p }, tools) => {
        delivered(p);
        if (results) await tools.addJob('sink', { p });
        else done(p);
      };
      const sink: Task = async ({ p }) => done(p);
      const concurrentJobs = consumers === 1 ? concurrentMax : consumers;
      const runner = await run({
        pgPool: workers,
        parsedCronItems: [],
        logger,
        noHandleSignals: true,
        taskList: { input, sink },
        preset: {
          worker: {
            concurrentJobs,
            pollInterval,
            localQueue: { size: Math.max(windowOfAll, concurrentJobs + 1) },
            completeJobBatchDelay: 0,
          },
        },
      });
      return {
        stop: async () => {
          await runner.stop().catch(failed);
          await pause(stopMs);
        },
      };
    },
    empty: async () => {
      await pgPool.query('TRUNCATE graphile_worker._private_jobs CASCADE');
    },
    close: async () => {
      await utilities.release();
      await Promise.all([pgPool.end(), workers.end()]);
    },
  };
}
