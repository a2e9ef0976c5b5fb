// The server is killed again and again while it starts and recovers a backlog, most of the time
// before it can answer anybody.

import { pause, someMs } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server } from '../server.ts';
import type { Traffic, TrafficOptions } from '../traffic.ts';

const service = 'recovery';
const perPut = 100;

export const killRecovery: Scenario = {
  name: 'kill-recovery',
  about: 'SIGKILL while the server starts and recovers a backlog',
  share: 50,
  async run(stage) {
    const metadata = { name: service, type: 'Async', instance: 0 };
    const server = await stage.server([{ metadata }]);
    const startedAt = performance.now();
    await server.start();
    const startMs = performance.now() - startedAt;
    const backlog = stage.isQuick ? 1_000 : 20_000;
    const plain = { url: server.url, service, workers: [], watchers: [], timeoutMs: 2_000 };
    await fill(stage, plain, backlog);
    // These go on through all of it, and get through now and then.
    const lanes = { eas: 2, stream: 2 };
    const traffic = await stage.traffic({ ...plain, lanes, openMax: 2 * backlog });
    let early = 0;
    await server.kill();
    for (let nth = 1; nth < stage.kills; nth += 1) {
      if (await killStarting(stage, server, nth % 5 === 0, startMs)) early += 1;
    }
    await server.start();
    stage.note(`${early} of ${stage.kills} kills came before it was ready`);
    const workers = ['stream', 'eas'] as const;
    await stage.traffic({ ...plain, name: 'w', lanes: { eas: 0, stream: 0 }, workers });
    await stage.settle(server, traffic, service);
  },
};

/** Whether the kill came before the server was ready. */
async function killStarting(
  stage: Stage,
  server: Server,
  late: boolean,
  startMs: number,
): Promise<boolean> {
  const life = server.spawn();
  let isReady = false;
  life.ready.then(() => (isReady = true)).catch(() => undefined);
  if (late) {
    await life.ready;
    await stage.underLoad();
  } else {
    await pause(someMs(0.4 * startMs, 1.1 * startMs));
  }
  await server.kill(life);
  return !isReady;
}

async function fill(
  stage: Stage,
  plain: Omit<TrafficOptions, 'ledger' | 'lanes'>,
  count: number,
): Promise<void> {
  const lanes = { eas: 0, stream: perPut };
  const filling: Traffic = await stage.traffic({ ...plain, name: 'b', lanes, openMax: count });
  await stage.ledger.until(count);
  await filling.stopPutting();
  await filling.close();
}
