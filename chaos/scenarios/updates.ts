// Rolling updates under load, one after another, and in the middle of each two model processes and
// the server are killed. Every request has one result, whichever version made it.

import { instanceDefinition } from '../instances.ts';
import { comesTrue, pause, someMs } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server } from '../server.ts';
import { killQuietly } from '../world.ts';

const service = 'updates';
const instances = 3;
const updates = 3;
const killsEach = 2;
const requests = 500;
const doneMs = 60_000;

export const rollingUpdates: Scenario = {
  name: 'updates',
  about: 'rolling updates; in each SIGKILL of two model processes and of the server',
  share: 0,
  async run(stage) {
    const definition = (version: number): object =>
      instanceDefinition(stage.world, {
        name: service,
        instances,
        latencyMs: 50,
        env: { VERSION: `${version}` },
      });
    const server = await stage.server([definition(1)]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: [],
      watchers: ['stream'],
    });
    const count = stage.isQuick ? 1 : updates;
    for (let version = 2; version < 2 + count; version += 1) {
      await stage.underLoad();
      // The server applies its file at every start: it has to say the same.
      server.redefine(0, definition(version));
      const { revision } = await server.admin.applyService(service, definition(version));
      for (let nth = 0; nth < killsEach; nth += 1) await killOne(stage, server);
      await pause(someMs(0, 200));
      await server.kill();
      await server.start();
      if (!(await isDone(server, revision)))
        stage.problem(`revision ${revision} is not rolled out`);
    }
    await stage.ledger.until(stage.isQuick ? 0 : requests);
    await stage.settle(server, traffic, service);
    const left = stage.world.offspring().length;
    if (left > 0) stage.problem(`${left} model processes outlive the server`);
  },
};

/** Kills one model process that works, of whatever version. */
async function killOne(stage: Stage, server: Server): Promise<void> {
  await pause(someMs(0, 150));
  const running = await server.admin.instances(service);
  const pids = running.filter(({ pid }) => pid > 0).map(({ pid }) => pid);
  const victim = pids[Math.floor(Math.random() * pids.length)];
  if (victim === undefined) return;
  killQuietly(victim);
  stage.fault();
}

/** Whether all instances come to be of that revision, and no other is left. */
function isDone(server: Server, revision: number): Promise<boolean> {
  return comesTrue(async () => {
    const all = await server.admin.instances(service);
    const current = all.filter((each) => each.revision >= revision && each.state === 'Running');
    return current.length === instances && all.length === instances;
  }, doneMs);
}
