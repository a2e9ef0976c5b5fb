// The server is killed just after it has started the process of an instance: before, while and
// after it writes down that it did. The next server goes on with that process, or ends it: what
// runs is what it lists, and no more than is wanted.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instanceDefinition } from '../instances.ts';
import { comesTrue, pause, someMs } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server, ServerProcess } from '../server.ts';
import { killQuietly } from '../world.ts';

const service = 'spawn';
const instances = 2;
const seenMs = 15_000;

export const killSpawn: Scenario = {
  name: 'kill-spawn',
  about: 'SIGKILL between starting a model process and storing its number',
  share: 30,
  async run(stage) {
    const definition = instanceDefinition(stage.world, { name: service, instances, latencyMs: 5 });
    const server = await stage.server([definition]);
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 0 },
      workers: [],
      watchers: [],
      timeoutMs: 2_000,
    });
    await stage.underLoad();
    await server.kill();
    let between = 0;
    while (stage.killed < stage.kills) {
      // What it could take over it would not start.
      for (const pid of stage.world.offspring()) killQuietly(pid);
      const life = server.spawn();
      if (await killAtSpawn(server, life, stage.killed % 3 === 0 ? someMs(0, 60) : 0)) between += 1;
      if (stage.killed % 4 !== 0) continue;
      await onlyOurs(stage, server);
      await server.kill();
    }
    await onlyOurs(stage, server);
    stage.note(`${between} kills came before the number of a process was stored`);
    await stage.settle(server, traffic, service);
    const left = stage.world.offspring().length;
    if (left > 0) stage.problem(`${left} model processes outlive the last server`);
  },
};

/** Kills the server so long after its first model process was seen; whether one of them had not
 * been written down by then. */
async function killAtSpawn(server: Server, life: ServerProcess, afterMs: number): Promise<boolean> {
  const until = performance.now() + seenMs;
  let isEarly = true;
  while (childrenOf(life.pid).length === 0 && performance.now() < until && !life.isEnded) {
    // Looks often while it is near, and leaves the processor to the server before.
    if (isEarly) await pause(2);
    else await new Promise((resolve) => setImmediate(resolve));
    isEarly = !/listening/.test(life.lastWords());
  }
  if (afterMs > 0) await pause(afterMs);
  const started = childrenOf(life.pid).length;
  life.isExpected = true;
  life.signal('SIGSTOP');
  const recorded = readdirSync(join(server.data, 'instances')).filter((name) =>
    name.endsWith('.json'),
  );
  await server.kill(life);
  return recorded.length < started;
}

/** Starts a server that takes over or ends what the killed ones have left, and lets it work. */
async function onlyOurs(stage: Stage, server: Server): Promise<void> {
  await server.start();
  const isClean = await comesTrue(async () => {
    const listed = (await server.admin.instances(service)).map(({ pid }) => pid);
    const groups = new Set(stage.world.offspring().map(groupOf));
    const areListed = [...groups].every((group) => listed.includes(group));
    return listed.length === instances && groups.size === instances && areListed;
  }, seenMs);
  if (!isClean) stage.problem('a process of a killed server is neither taken over nor ended');
  await stage.underLoad();
}

/** Processes of instances that its main thread has started, which is the one that runs JavaScript;
 * there is also one that looks at the data folder first. */
function childrenOf(pid: number): readonly string[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
    return children.filter((child) => {
      return child !== '' && readFileSync(`/proc/${child}/cmdline`, 'latin1').startsWith('bash');
    });
  } catch {
    return [];
  }
}

/** The number of its process group; 0: it is gone. */
function groupOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return 0;
  }
}
