// A small sink that two groups empty slowly, and an input with a second group that gets copies: no
// work is begun whose result would have no place, and none is lost, through kills as well.

import { EasCaller } from '../eas-caller.ts';
import { comesTrue, pause, repeat } from '../pause.ts';
import type { Scenario } from '../scenario.ts';
import type { Server } from '../server.ts';

const service = 'sink';
const places = 24;
const fullMs = 30_000;

export const sinkFull: Scenario = {
  name: 'sink-full',
  about: 'a full sink with two groups on it, a second group on the input, and SIGKILL',
  share: 15,
  async run(stage) {
    const definition = {
      metadata: { name: service, type: 'Async', instance: 0 },
      queue: { sink: { max_length: places } },
    };
    const server = await stage.server([definition]);
    await server.start();
    const over = new AbortController();
    const seen = { most: 0 };
    const looking = look(seen, server, over.signal);
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: ['stream', 'eas'],
      watchers: ['stream', 'eas'],
      watcherHoldsMs: 50,
      copies: ['eas'],
      fetches: false,
      openMax: 150,
    });
    for (let nth = 0; nth < stage.kills; nth += 1) {
      await stage.underLoad();
      await server.kill();
      await server.start();
    }
    await stage.underLoad();
    // On a busy machine it fills later.
    await comesTrue(() => seen.most >= places, fullMs);
    over.abort();
    await looking;
    stage.note(`at most ${seen.most} of ${places} places in the sink were taken`);
    if (seen.most > places) stage.problem('more places were taken than there are');
    if (seen.most < places) stage.problem('the sink was never full');
    await stage.settle(server, traffic, service);
  },
};

/** Looks all the time at how many places of the sink are taken. */
async function look(seen: { most: number }, server: Server, signal: AbortSignal): Promise<void> {
  const eas = new EasCaller({ url: server.url, service });
  await repeat(async () => {
    const { 'stream.length': length = 0, 'stream.reserved': reserved = 0 } =
      await eas.attributes('sink');
    seen.most = Math.max(seen.most, length + reserved);
    await pause(10);
  }, signal);
}
