// The server and its own workers are killed in front of a model server that lives on. Its calls are
// cut with their connections, so it never has more of them than its window.

import { Model } from '../model.ts';
import type { Scenario } from '../scenario.ts';

const service = 'workers';
const window = 6;

export const killWorkers: Scenario = {
  name: 'kill-workers',
  about: "SIGKILL while Sluice's own workers call a model server that lives on",
  share: 30,
  async run(stage) {
    const model = await Model.open(stage.world);
    const metadata = { name: service, type: 'Async', instance: 1, rpc: { worker_threads: window } };
    const server = await stage.server([{ metadata, endpoint: model.url }]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: [],
      watchers: ['stream'],
    });
    for (let nth = 0; nth < stage.kills; nth += 1) {
      await stage.underLoad();
      await server.kill();
      await server.start();
    }
    await stage.underLoad();
    await stage.settle(server, traffic, service);
    stage.note(`at most ${model.openMax} calls at once with a window of ${window}`);
    if (model.openMax > window) stage.problem('the model was given more than its window');
    const { accepted } = stage.ledger.balance();
    if (model.calls < accepted) stage.problem(`${model.calls} calls for ${accepted} requests`);
  },
};
