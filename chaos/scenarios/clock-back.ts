// The wall clock is set back by an hour over each restart: only the server's own, by a library that
// stands between it and the system. A request put before is still known when it is put again.

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EasCaller } from '../eas-caller.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Launch, Server } from '../server.ts';

const service = 'clock';
const remembered = 50;
const shared = '/dev/shm';

export const clockBack: Scenario = {
  name: 'clock-back',
  about: "the server's wall clock is set back by an hour over each restart",
  share: 4,
  missing: () =>
    library() === undefined ? 'libfaketime is missing (apt-get install faketime)' : undefined,
  async run(stage) {
    const definition = {
      metadata: { name: service, type: 'Async', instance: 0 },
      queue: { source: { expire: '30m' }, sink: { expire: '30m' } },
    };
    const server = await stage.server([definition]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: ['stream', 'eas'],
      watchers: ['stream'],
    });
    for (let nth = 1; nth <= stage.kills; nth += 1) {
      await putSome(stage, server, `known-${nth}`);
      await stage.underLoad();
      const { pid } = server.current;
      await server.kill();
      forget(pid);
      await server.start(hoursBack(nth));
      stage.fault();
      await putSome(stage, server, `known-${nth}`);
    }
    await stage.underLoad();
    const { pid } = server.current;
    await stage.settle(server, traffic, service);
    forget(pid);
  },
};

/** The second time they are repetitions, which the ledger expects at the same indexes. */
async function putSome(stage: Stage, server: Server, name: string): Promise<void> {
  const eas = new EasCaller({ url: server.url, service });
  for (let nth = 1; nth <= remembered; nth += 1) {
    const id = `${name}-${nth}`;
    stage.ledger.asked(id);
    stage.ledger.accepted(id, await eas.put(id, id), service);
  }
}

function hoursBack(hours: number): Launch {
  const environment = {
    LD_PRELOAD: library() ?? '',
    FAKETIME: `-${hours}h`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  return { environment };
}

function library(): string | undefined {
  return readdirSync('/usr/lib', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join('/usr/lib', name, 'faketime/libfaketime.so.1'))
    .find((path) => existsSync(path));
}

/** The library leaves its shared memory behind when its process is killed. */
function forget(pid: number): void {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) {
    rmSync(join(shared, name), { force: true });
  }
}
