// The server is killed in the middle of creating and of deleting a service. Whatever was answered
// holds; whatever was not has happened wholly or not at all.

import type { AdminClient } from '@sluice/sdk';
import { EasCaller } from '../eas-caller.ts';
import { pause, someMs } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server } from '../server.ts';

const steady = 'steady';
const putsEach = 5;

export const killDeploy: Scenario = {
  name: 'kill-deploy',
  about: 'SIGKILL while services are created and deleted beside one under load',
  share: 30,
  async run(stage) {
    const server = await stage.server([queuesOnly(steady)]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service: steady,
      lanes: { eas: 2, stream: 4 },
      workers: ['stream', 'eas'],
      watchers: ['stream'],
    });
    for (let nth = 1; stage.killed < stage.kills; nth += 1) {
      const name = `made-${nth}`;
      await createAndKill(stage, server, name);
      await deleteAndKill(stage, server, name);
    }
    await stage.underLoad();
    await stage.settle(server, traffic, steady);
  },
};

async function createAndKill(stage: Stage, server: Server, name: string): Promise<void> {
  const wasAnswered = await killDuring(server, (admin) => admin.createService(queuesOnly(name)));
  await server.start();
  const exists = await isThere(server, name);
  if (wasAnswered && !exists) stage.problem(`${name} was created, and was gone after a kill`);
  if (!exists) await server.admin.createService(queuesOnly(name));
  const eas = new EasCaller({ url: server.url, service: name });
  for (let nth = 1; nth <= putsEach; nth += 1) {
    const id = `${name}-${nth}`;
    stage.ledger.asked(id);
    stage.ledger.accepted(id, await eas.put(id, id), name);
  }
}

async function deleteAndKill(stage: Stage, server: Server, name: string): Promise<void> {
  const wasAnswered = await killDuring(server, (admin) => admin.deleteService(name));
  await server.start();
  const eas = new EasCaller({ url: server.url, service: name });
  if (await isThere(server, name)) {
    if (wasAnswered) stage.problem(`${name} was deleted, and was back after a kill`);
    const length = await eas.length('input');
    if (length !== putsEach) stage.problem(`${name} has ${length} of its ${putsEach} messages`);
    await server.admin.deleteService(name);
  }
  for (let nth = 1; nth <= putsEach; nth += 1) stage.ledger.deleted(`${name}-${nth}`);
  // A later service of that name has nothing of the earlier one.
  await server.admin.createService(queuesOnly(name));
  const left = await eas.length('input');
  if (left !== 0) stage.problem(`a new service ${name} began with ${left} messages`);
  await server.admin.deleteService(name);
}

/** Kills the server somewhere between the sending of a call and its answer, or just after it;
 * whether there was an answer. */
async function killDuring(
  server: Server,
  call: (admin: AdminClient) => Promise<unknown>,
): Promise<boolean> {
  let wasAnswered = false;
  const answer = call(server.admin).then(
    () => {
      wasAnswered = true;
    },
    () => undefined,
  );
  await pause(someMs(0, 20));
  await server.kill();
  await answer;
  return wasAnswered;
}

async function isThere(server: Server, name: string): Promise<boolean> {
  return (await server.admin.services()).some((service) => service.name === name);
}

function queuesOnly(name: string): object {
  return { metadata: { name, type: 'Async', instance: 0 }, token: '' };
}
