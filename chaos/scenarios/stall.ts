// The server and a worker are stopped by SIGSTOP for longer than leases survive a lost connection,
// with and without their connections being cut meanwhile. What the worker completes afterwards may
// be somebody else's by then.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { pause, someMs } from '../pause.ts';
import { FaultyProxy } from '../proxy.ts';
import type { Scenario, Stage } from '../scenario.ts';

const service = 'stall';
const resumeMs = 1_000;
const usualResumeMs = 10_000;

export const stall: Scenario = {
  name: 'stall',
  about: 'SIGSTOP of server or worker for longer than `queue.resume`, connections kept or cut',
  share: 0,
  async run(stage) {
    await play(stage, resumeMs, stage.isQuick ? 2 : 12);
    if (!stage.isQuick) await play(stage, usualResumeMs, 2);
  },
};

async function play(stage: Stage, longMs: number, rounds: number): Promise<void> {
  const name = `${service}-${longMs}`;
  const metadata = { name, type: 'Async', instance: 0 };
  const server = await stage.server([{ metadata, queue: { resume: `${longMs}ms` } }], { name });
  await server.start();
  const proxy = await FaultyProxy.open(stage.world, server.url);
  const stopped = await startWorker(stage, proxy.url, name);
  const traffic = await stage.traffic({
    url: proxy.url,
    service: name,
    name,
    lanes: { eas: 2, stream: 4 },
    workers: ['stream', 'eas'],
    watchers: ['stream'],
    timeoutMs: 2_000,
  });
  for (let nth = 0; nth < rounds; nth += 1) {
    await stage.underLoad();
    const victim = nth % 2 === 0 ? stopped.pid : server.current.pid;
    process.kill(victim, 'SIGSTOP');
    await pause(someMs(10, 100));
    if (nth % 4 < 2) proxy.cut();
    await pause(longMs * 1.2);
    process.kill(victim, 'SIGCONT');
    stage.fault();
  }
  await stage.underLoad();
  await stage.settle(server, traffic, name);
  stopped.end();
}

async function startWorker(stage: Stage, url: string, name: string) {
  const program = fileURLToPath(new URL('../programs/worker.ts', import.meta.url));
  const child = fork(program, [url, name, 'stopped']);
  stage.world.adopt(child);
  await once(child, 'message');
  return { pid: child.pid ?? 0, end: () => void child.kill('SIGKILL') };
}
