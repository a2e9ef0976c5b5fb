// A container whose requests take long is updated and scaled in while it works. Every request is
// given to an instance once, and none of them is cut.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient, type QueueInfo } from '@sluice/sdk';
import { startEngine, wait } from '../docker/engine.ts';
import { loadNode, nodeImage } from '../docker/images.ts';
import { openCommandWorld } from './cli-process.ts';

/** Answers after CALL_MS with its version and the request. */
const model = `
import { createServer } from 'node:http';
const { PORT, HOST, VERSION, CALL_MS } = process.env;
createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  setTimeout(() => response.end(VERSION + ' did ' + body), Number(CALL_MS));
}).listen(Number(PORT), HOST);
`;

const adminToken = 'the-admin-token-of-slow-containers';
const name = 'slow';
const window = 2;
const requests = 10;

export interface SlowOutcome {
  /** What the model said, in the order of the texts. */
  readonly results: readonly string[];
  /** Of the input queue. */
  readonly counters: QueueInfo['counters'];
  /** Requests that old instances worked on when they had to leave. */
  readonly heldAtUpdate: number;
  readonly heldAtScaleIn: number;
}

/** Plays it with a model that takes `callMs` for a request; `say` is told of each step. */
export async function playSlowContainer(
  callMs: number,
  say: (text: string) => void = () => undefined,
): Promise<SlowOutcome> {
  const engine = await startEngine();
  const world = openCommandWorld();
  try {
    const file = join(world.home, 'model.mjs');
    writeFileSync(file, model);
    await loadNode(engine, { '/app/model.mjs': file });
    const args = ['serve', '--listen', '127.0.0.1:0', '--data', join(world.home, 'data')];
    const environment = { DOCKER_HOST: engine.host, SLUICE_ADMIN_TOKEN: adminToken };
    const server = world.start(args, { environment });
    const [, url = ''] = await server.says(/on (http:\S+)\n[\s\S]*Ready/);
    return await play({ admin: new AdminClient({ url, token: adminToken }), url, callMs, say });
  } finally {
    await world.close();
    await engine.stop();
  }
}

interface Play {
  readonly admin: AdminClient;
  readonly url: string;
  readonly callMs: number;
  readonly say: (text: string) => void;
}

async function play({ admin, url, callMs, say }: Play): Promise<SlowOutcome> {
  const definition = (version: number): object => ({
    metadata: { name, type: 'Async', instance: 2, rpc: { worker_threads: window } },
    token: '',
    containers: [
      {
        image: nodeImage,
        script: 'exec node /app/model.mjs',
        port: 8000,
        env: [
          { name: 'VERSION', value: `v${version}` },
          { name: 'CALL_MS', value: `${callMs}` },
        ],
      },
    ],
  });
  const busy = async (version: number): Promise<number> => {
    const all = await admin.instances(name);
    return all.reduce((sum, each) => sum + (each.revision === version ? each.busy : 0), 0);
  };
  await admin.applyService(name, definition(1));
  for (let nth = 1; nth <= requests; nth += 1) await put(url, `request ${nth}`);
  await until(async () => (await busy(1)) === 2 * window);
  say(`both instances of version 1 work on ${window} requests; version 2 comes`);
  const { revision } = await admin.applyService(name, definition(2));
  await until(async () => (await busy(revision)) > 0);
  const heldAtUpdate = await busy(1);
  await until(async () => (await busy(revision)) === 2 * window);
  say(`both of version 2 are busy; version 1 still had ${heldAtUpdate} requests; one is to go`);
  const { revision: fewer } = await admin.modifyService(name, {
    set: { 'metadata.instance': '1' },
  });
  await until(async () => (await admin.instances(name)).some(({ state }) => state === 'Draining'));
  const heldAtScaleIn = (await admin.instances(name))
    .filter(({ state }) => state === 'Draining')
    .reduce((sum, each) => sum + each.busy, 0);
  say(`revision ${fewer}: what leaves works on ${heldAtScaleIn} requests`);
  const results: string[] = [];
  while (results.length < requests) results.push(...(await take(url)));
  await until(async () => (await admin.instances(name)).length === 1);
  const input = (await admin.queues(name)).find((queue) => queue.name === 'input');
  if (input === undefined) throw new Error('the service has no input queue');
  return { results: results.sort(), counters: input.counters, heldAtUpdate, heldAtScaleIn };
}

async function put(url: string, body: string): Promise<void> {
  const response = await fetch(`${url}/api/predict/${name}`, { method: 'POST', body });
  if (response.status !== 200) throw new Error(`put: ${response.status}`);
}

async function take(url: string): Promise<readonly string[]> {
  const query = '_index_=0&_length_=1&_timeout_=1s&_raw_=true&_auto_delete_=true';
  const response = await fetch(`${url}/api/predict/${name}/sink?${query}`);
  return response.status === 200 ? [await response.text()] : [];
}

async function until(fact: () => Promise<boolean>): Promise<void> {
  while (!(await fact())) await wait(50);
}
