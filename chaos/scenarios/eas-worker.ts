// Workers as existing EAS clients are: they watch, put the result into the sink, and then commit
// the input by its index. Some commit so late that the request was given to another meanwhile; the
// server is killed at any of these steps.

import { connect, type Delivery } from '@sluice/sdk';
import { EasCaller } from '../eas-caller.ts';
import { resultOf } from '../ledger.ts';
import { pause, someMs } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server } from '../server.ts';
import { forEachDelivery, settle } from '../traffic.ts';

const service = 'eas';
const workers = 3;
const idleMs = 500;
const lateChance = 0.1;

export const easWorker: Scenario = {
  name: 'eas-worker',
  about: 'SIGKILL with EAS workers: put to the sink, then commit, at times too late',
  share: 20,
  async run(stage) {
    const definition = {
      metadata: { name: service, type: 'Async', instance: 0 },
      queue: { max_idle: `${idleMs}ms`, max_delivery: 0 },
    };
    const server = await stage.server([definition]);
    await server.start();
    const over = new AbortController();
    const stops = await Promise.all(
      Array.from({ length: workers }, (_, nth) => startWorker(stage, server, nth, over.signal)),
    );
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: [],
      watchers: ['eas'],
    });
    for (let nth = 0; nth < stage.kills; nth += 1) {
      await stage.underLoad();
      await server.kill();
      await server.start();
    }
    await stage.underLoad();
    await stage.settle(server, traffic, service);
    over.abort();
    await Promise.all(stops.map((stop) => stop()));
  },
};

async function startWorker(
  stage: Stage,
  server: Server,
  nth: number,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const uid = `worker-${nth}`;
  const client = await connect(server.url, { service, protocol: 'eas', uid, gid: service });
  const eas = new EasCaller({ url: server.url, service, uid, gid: service });
  const working = forEachDelivery(client, 'input', signal, (delivery) => {
    void settle(() => work(stage, eas, delivery), signal);
  });
  return async () => {
    await client.close();
    await working;
  };
}

async function work(stage: Stage, eas: EasCaller, delivery: Delivery): Promise<void> {
  const id = new TextDecoder().decode(delivery.payload);
  await eas.putResult(id, resultOf(id));
  if (Math.random() < lateChance) {
    stage.faults += 1;
    await pause(someMs(idleMs, 2 * idleMs));
  }
  await delivery.commit();
}
