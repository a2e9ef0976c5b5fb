// Each request is put many times under one id, at the same time and again, over both protocols,
// while the server is killed. All answers must name one index, and there is one result.

import { connect } from '@sluice/sdk';
import { EasCaller } from '../eas-caller.ts';
import { insist, pause, someMs } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server } from '../server.ts';

const service = 'repeats';
const callers = 8;
const lanes = 16;

export const repeats: Scenario = {
  name: 'repeats',
  about: 'SIGKILL while each request is put eight times under one id, at once and later',
  share: 20,
  async run(stage) {
    const metadata = { name: service, type: 'Async', instance: 0 };
    const server = await stage.server([{ metadata }]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 0, stream: 0 },
      workers: ['stream', 'eas'],
      watchers: ['stream'],
    });
    const stop = await putAgainAndAgain(stage, server);
    for (let nth = 0; nth < stage.kills; nth += 1) {
      await stage.underLoad();
      await server.kill();
      await server.start();
    }
    await stage.underLoad();
    await stop();
    await stage.settle(server, traffic, service);
  },
};

async function putAgainAndAgain(stage: Stage, server: Server): Promise<() => Promise<void>> {
  const { ledger } = stage;
  const over = new AbortController();
  const client = await connect(server.url, { service, uid: 'repeater', timeoutMs: 5_000 });
  const eas = new EasCaller({ url: server.url, service, timeoutMs: 5_000 });
  const put = async (id: string, nth: number): Promise<void> => {
    // Half of them at once, the others a little later; never given up, or one might be too late.
    if (nth >= callers / 2) await pause(someMs(0, 100));
    const overStream = async (): Promise<number> => (await client.input.put(id, { id })).index;
    const index = await insist(
      nth % 2 === 0 ? overStream : () => eas.put(id, id),
      new AbortController().signal,
    );
    if (index !== undefined) ledger.accepted(id, index, service);
    stage.faults += nth === 0 ? 0 : 1;
  };
  const lane = async (name: string): Promise<void> => {
    for (let nth = 1; !over.signal.aborted; nth += 1) {
      const id = `${name}-${nth}`;
      ledger.asked(id);
      await Promise.all(Array.from({ length: callers }, (_, at) => put(id, at)));
    }
  };
  const putting = Array.from({ length: lanes }, (_, at) => lane(`lane-${at}`));
  return async () => {
    over.abort();
    await Promise.all(putting);
    await client.close();
  };
}
