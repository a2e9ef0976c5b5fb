// Model processes that Sluice has started are killed while they work. Their requests go to others,
// and to the new process that takes their place.

import { instanceDefinition } from '../instances.ts';
import { pause, someMs } from '../pause.ts';
import type { Scenario } from '../scenario.ts';
import { killQuietly } from '../world.ts';

const service = 'instances';

export const instances: Scenario = {
  name: 'instances',
  about: 'SIGKILL of model processes that Sluice runs, while they work',
  share: 0,
  async run(stage) {
    const definition = instanceDefinition(stage.world, {
      name: service,
      instances: stage.isQuick ? 3 : 8,
      latencyMs: 30,
    });
    const server = await stage.server([definition]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: [],
      watchers: ['stream'],
    });
    // Each is started again a little later than the time before: few kills of many processes.
    const kills = stage.isQuick ? 4 : 24;
    while (stage.faults < kills) {
      await stage.underLoad();
      await pause(someMs(0, 200));
      const running = await server.admin.instances(service);
      const pids = running.filter(({ busy }) => busy > 0).map(({ pid }) => pid);
      const victim = pids[Math.floor(Math.random() * pids.length)];
      if (victim === undefined) continue;
      killQuietly(victim);
      stage.fault();
    }
    await stage.underLoad();
    await stage.settle(server, traffic, service);
    const left = stage.world.offspring().length;
    if (left > 0) stage.problem(`${left} model processes outlive the server`);
  },
};
