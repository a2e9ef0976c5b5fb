// A real server with one service in front of a model of the test's own, for tests of requests.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';
import { openRequestModel, type RequestModel } from './request-model.ts';

export interface RequestService {
  readonly world: CommandWorld;
  readonly model: RequestModel;
  readonly url: string;
  /** Of the server, and the main one of the service `demo`. */
  readonly adminToken: string;
  readonly token: string;
  /** Runs `sluice ARGS` as its user, in the words of a shell. */
  sluice(...args: readonly string[]): ReturnType<CommandWorld['run']>;
  /** Kills the server and starts it anew at the same address. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

export async function openRequestService(
  options: { readonly allowOrigin?: string; readonly window?: number } = {},
): Promise<RequestService> {
  const world = openCommandWorld();
  const model = await openRequestModel();
  let server: RunningCommand;
  let address = '127.0.0.1:0';
  const serve = async (): Promise<string> => {
    const { allowOrigin } = options;
    const origins = allowOrigin === undefined ? [] : ['--allow-origin', allowOrigin];
    const data = join(world.home, 'data');
    server = world.start(['serve', '--listen', address, '--data', data, ...origins]);
    const [, url = ''] = await server.says(/on (http:\S+)\n[\s\S]*Ready/);
    address = new URL(url).host;
    return url;
  };
  const url = await serve();
  const file = join(world.home, 'demo.json');
  writeFileSync(file, JSON.stringify(definitionOf(model.url, options.window ?? 4)));
  const applied = await world.run(['create', file]);
  if (applied.code !== 0) throw new Error(applied.stderr);
  const told = await world.run(['token', 'demo']);
  const [token = ''] = told.stdout.split('\n');
  const adminToken = readFileSync(join(world.home, 'data', 'admin', 'token'), 'utf8').trim();
  return {
    world,
    model,
    url,
    adminToken,
    token,
    sluice: (...args) => world.run(args),
    async crash() {
      server.child.kill('SIGKILL');
      await server.ended;
      await serve();
    },
    async close() {
      await world.close();
      await model.close();
    },
  };
}

function definitionOf(url: string, window: number): unknown {
  return {
    metadata: { name: 'demo', type: 'Async', instance: 1, rpc: { worker_threads: window } },
    endpoint: url,
    queue: { max_delivery: 2 },
    callbacks: { allow: ['127.0.0.0/8'] },
    // After a crash of the server its slots are taken until the model is known to be free of them.
    release_after: '500ms',
  };
}
