// The server is killed at random moments under the full load of both protocols: puts, workers,
// watches and fetches all go on through it.

import type { Scenario } from '../scenario.ts';

const service = 'load';

export const killLoad: Scenario = {
  name: 'kill-load',
  about: 'SIGKILL under load: puts, workers, watches and fetches over both protocols',
  share: 90,
  async run(stage) {
    const metadata = { name: service, type: 'Async', instance: 0 };
    const server = await stage.server([{ metadata }]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 12 },
      workers: ['stream', 'stream', 'eas'],
      watchers: ['stream', 'eas'],
    });
    for (let nth = 0; nth < stage.kills; nth += 1) {
      await stage.underLoad();
      await server.kill();
      await server.start();
    }
    await stage.underLoad();
    await stage.settle(server, traffic, service);
  },
};
