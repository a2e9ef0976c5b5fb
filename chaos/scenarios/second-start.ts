// A second server is started on the folder and port of one that still runs, as a hasty supervisor
// does. It waits; then one of the two is killed, or both.

import { pause, someMs } from '../pause.ts';
import type { Scenario } from '../scenario.ts';

const service = 'second';

export const secondStart: Scenario = {
  name: 'second-start',
  about: 'SIGKILL of either server while a second one starts on the same folder',
  share: 20,
  async run(stage) {
    const metadata = { name: service, type: 'Async', instance: 0 };
    const server = await stage.server([{ metadata }]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: ['stream', 'eas'],
      watchers: ['stream'],
    });
    while (stage.killed < stage.kills) {
      const first = server.current;
      const second = server.spawn();
      // In the middle of its start, or waiting for the first to go.
      await pause(someMs(200, 1_500));
      const chance = Math.random();
      if (chance < 0.3) {
        await server.kill(second);
        await stage.underLoad();
        continue;
      }
      await server.kill(first);
      if (chance < 0.6) {
        await pause(someMs(0, 600));
        await server.kill(second);
        await server.start();
      }
      await second.ready.catch(() => undefined);
      await stage.underLoad();
    }
    await stage.settle(server, traffic, service);
  },
};
