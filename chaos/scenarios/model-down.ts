// The model server is away for three minutes while requests come in. None of them is called dead
// for that: they wait, and are done when it is back.

import { Model } from '../model.ts';
import { pause } from '../pause.ts';
import type { Scenario } from '../scenario.ts';

const service = 'down';
const downMs = 180_000;
const downMsQuick = 3_000;

export const modelDown: Scenario = {
  name: 'model-down',
  about: 'the model server is down for three minutes (--quick: three seconds)',
  share: 0,
  async run(stage) {
    const model = await Model.open(stage.world);
    const metadata = { name: service, type: 'Async', instance: 1, rpc: { worker_threads: 4 } };
    const health = { type: 'tcp', period_seconds: 1 };
    const server = await stage.server([{ metadata, endpoint: model.url, health_check: health }]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: [],
      watchers: ['stream'],
    });
    await stage.underLoad();
    await model.down();
    stage.fault();
    await pause(stage.isQuick ? downMsQuick : downMs);
    const waited = stage.ledger.openCount;
    await model.up();
    await stage.settle(server, traffic, service);
    stage.note(`${waited} requests waited for the model server`);
    const { dead } = stage.ledger.balance();
    if (dead > 0) stage.problem(`${dead} requests died of a model server that was away`);
    if (waited === 0) stage.problem('nothing waited for the model server');
  },
};
