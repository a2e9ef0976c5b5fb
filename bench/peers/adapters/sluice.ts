// Sluice by its own SDK over the stream protocol, as its users have it: one connection for the
// submitter, one for each consumer. Consumers are members of the group named like the service.

import { connect } from '@sluice/sdk';
import { type Adapter, type Body, type WorkOptions, windowOfEach } from '../adapter.ts';

export interface SluiceAddress {
  readonly url: string;
  readonly service: string;
  readonly token: string;
}

/** Over the connection of a submitter; consumers bring their own. */
export async function openSluice({ url, ...target }: SluiceAddress): Promise<Adapter> {
  const submitter = await connect(url, target);
  const put = (body: Body): Promise<unknown> => submitter.input.put(body);
  return {
    form: 'bytes',
    put,
    fill: (bodies) => submitter.input.putMany(bodies.map((payload) => ({ payload }))),
    work: async ({ consumers, results, delivered, done, failed }: WorkOptions) => {
      const workers = await Promise.all(
        Array.from({ length: consumers }, () => connect(url, { ...target, gid: target.service })),
      );
      const found = results ? submitter.sink.watch({ autoCommit: true }) : undefined;
      await found?.ready();
      const receive = async (): Promise<void> => {
        for await (const { payload } of found ?? []) done(payload);
      };
      const window = windowOfEach(consumers);
      const works = workers.map((worker) => worker.input.watch({ window }));
      await Promise.all(works.map((work) => work.ready()));
      const serve = async (work: (typeof works)[number]): Promise<void> => {
        for await (const delivery of work) {
          const { payload } = delivery;
          delivered(payload);
          if (results) delivery.complete(payload).catch(failed);
          else delivery.commit().then(() => done(payload), failed);
        }
      };
      const running = [receive(), ...works.map(serve)];
      for (const each of running) each.catch(failed);
      return {
        stop: async () => {
          await Promise.all(works.map((work) => work.stop()));
          await found?.close();
          await Promise.all(workers.map((worker) => worker.close()));
          await Promise.all(running);
        },
      };
    },
    empty: async () => {
      await submitter.input.truncate(Number.MAX_SAFE_INTEGER);
      await submitter.sink.truncate(Number.MAX_SAFE_INTEGER);
    },
    close: () => submitter.close(),
  };
}
