// The limits that the system sets a process: the size of files, at which a server ends itself
// because its disk fails, and the number of descriptors, which it has to live with.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { EasCaller } from '../eas-caller.ts';
import { comesTrue, pause } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server } from '../server.ts';

const service = 'limits';
/** What a server says when its disk fails. */
const lastWord = /storage failed, the process ends/;
const fileBytes = 64 * 1024;
const fewDescriptors = 32;
const strangers = 60;
const endMs = 15_000;

export const limits: Scenario = {
  name: 'limits',
  about: 'limits of file size and of descriptors, set under load and at start',
  share: 0,
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
      timeoutMs: 3_000,
    });
    for (let nth = 0; nth < (stage.isQuick ? 1 : 3); nth += 1) {
      await stage.underLoad();
      await fileLimit(stage, server);
      await stage.underLoad();
      await descriptorLimit(stage, server);
    }
    await stage.underLoad();
    await stage.settle(server, traffic, service);
  },
};

/** Files may not grow any more: the server ends itself, and says why. */
async function fileLimit(stage: Stage, server: Server): Promise<void> {
  const life = server.current;
  life.isExpected = true;
  limit(life.pid, `--fsize=${fileBytes}`);
  stage.fault();
  const hasEnded = await comesTrue(() => life.isEnded, endMs);
  if (hasEnded) {
    if (!lastWord.test(life.lastWords())) stage.problem(`it ended mute:\n${life.lastWords()}`);
  } else {
    stage.problem('it goes on although its disk fails');
    await server.kill();
  }
  await startsOrNot(stage, server, ['prlimit', `--fsize=${fileBytes}`]);
  await server.start();
}

/** No descriptor is left for new connections; those that are there go on. */
async function descriptorLimit(stage: Stage, server: Server): Promise<void> {
  const { pid } = server.current;
  const used = readdirSync(`/proc/${pid}/fd`).length;
  limit(pid, `--nofile=${used}:`);
  stage.fault();
  const { hostname, port } = new URL(server.url);
  const sockets = Array.from({ length: strangers }, () => connect(Number(port), hostname));
  for (const socket of sockets) socket.on('error', () => undefined);
  await pause(1_000);
  await stage.underLoad();
  limit(pid, '--nofile=4096:');
  await Promise.all(sockets.map(endSocket));
  const eas = new EasCaller({ url: server.url, service });
  const answers = async (): Promise<boolean> => (await eas.length('input')) >= 0;
  if (!(await comesTrue(answers, endMs))) {
    stage.problem('it answers nobody after it was short of descriptors');
  }
}

async function endSocket(socket: Socket): Promise<void> {
  if (socket.closed) return;
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
}

/** A start under a limit ends or succeeds; either way the folder stays whole. */
async function startsOrNot(stage: Stage, server: Server, prefix: readonly string[]): Promise<void> {
  for (const each of [prefix, ['prlimit', `--nofile=${fewDescriptors}`]]) {
    const life = server.spawn({ prefix: each });
    life.isExpected = true;
    await Promise.race([life.ready.catch(() => undefined), life.ended]);
    stage.fault();
    if (!life.isEnded) life.signal('SIGKILL');
    await life.ended;
  }
}

function limit(pid: number, which: string): void {
  execFileSync('prlimit', ['--pid', `${pid}`, which], { stdio: 'ignore' });
}
