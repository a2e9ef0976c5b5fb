// A bad network between all clients and the server: connections are cut, halved so that one end
// still believes in them, and fall silent altogether.

import { pause, someMs } from '../pause.ts';
import { FaultyProxy } from '../proxy.ts';
import type { Scenario } from '../scenario.ts';

const service = 'network';
const ways = ['cut', 'cut', 'silence', 'half-client', 'half-server'] as const;

export const network: Scenario = {
  name: 'network',
  about: 'connections cut, half-open and silent, through a proxy',
  share: 0,
  async run(stage) {
    const metadata = { name: service, type: 'Async', instance: 0 };
    const server = await stage.server([{ metadata, queue: { resume: '1s' } }]);
    await server.start();
    const proxy = await FaultyProxy.open(stage.world, server.url);
    const traffic = await stage.traffic({
      url: proxy.url,
      service,
      lanes: { eas: 4, stream: 8 },
      workers: ['stream', 'stream', 'eas'],
      watchers: ['stream'],
      timeoutMs: 1_000,
    });
    const rounds = (stage.isQuick ? 1 : 6) * ways.length;
    for (let nth = 0; nth < rounds; nth += 1) {
      await stage.underLoad();
      const way = ways[nth % ways.length];
      if (way === 'cut') proxy.cut();
      else if (way === 'silence') proxy.fallSilent();
      else proxy.halve(way === 'half-client' ? 'client' : 'server');
      stage.fault();
      if (way !== 'cut') await pause(someMs(500, stage.isQuick ? 1_000 : 3_000));
      // Ends left believing are let down at last, or a worker might wait for half a minute.
      if (nth % 2 === 0 || stage.isQuick) proxy.speak();
    }
    proxy.speak();
    await stage.settle(server, traffic, service);
  },
};
