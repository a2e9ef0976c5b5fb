// The world of joined workers: a server and workers as processes of their own, a model that answers
// when it is told to, and a network between them that a test can take away.

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AdminClient, type Client, connect as connectQueues, type InstanceInfo } from '@sluice/sdk';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

export const adminToken = 'the-admin-token-of-the-test';

/** Fails a wait that would hang. */
const patienceMs = 30_000;
const pollMs = 50;

export interface RunningServer {
  readonly command: RunningCommand;
  readonly url: string;
  readonly client: AdminClient;
}

export interface JoinOptions {
  readonly url: string;
  readonly service: string;
  readonly token: string;
  readonly args?: readonly string[];
}

export interface JoinedWorld {
  readonly commands: CommandWorld;
  /** On a port of its own, or the one it had before. */
  serve(port?: number): Promise<RunningServer>;
  /** A service of queues only, and a token to work for it. */
  queues(server: RunningServer, name: string, queue?: object): Promise<string>;
  /** A worker process; it has not joined yet. */
  worker(options: JoinOptions): RunningCommand;
  /** The submitter's side. */
  submit(server: RunningServer, service: string): Promise<Client>;
  model(): Promise<HeldModel>;
  network(target: string): Promise<Network>;
  close(): Promise<void>;
}

export function openJoinedWorld(): JoinedWorld {
  const commands = openCommandWorld();
  const closing: (() => Promise<void>)[] = [];
  const opened = <Thing extends { close(): Promise<void> }>(thing: Thing): Thing => {
    closing.push(() => thing.close());
    return thing;
  };
  return {
    commands,
    async serve(port = 0) {
      const data = ['--data', join(commands.home, 'data')];
      const command = commands.start(['serve', '--listen', `127.0.0.1:${port}`, ...data], {
        environment: { SLUICE_ADMIN_TOKEN: adminToken },
      });
      const url = (await command.says(/on (http:\S+)\n[\s\S]*Ready/))[1] ?? '';
      return { command, url, client: new AdminClient({ url, token: adminToken }) };
    },
    async queues({ client }, name, queue = {}) {
      await client.createService({
        metadata: { name, type: 'Async', instance: 0, rpc: { worker_threads: 3 } },
        request: { path: '/predict', method: 'PUT' },
        queue,
      });
      return (await client.addToken(name, 'worker', ['consume'])).token;
    },
    worker({ url, service, token, args = [] }) {
      const all = ['worker', '--join', url, '--service', service, ...args];
      return commands.start(all, { environment: { SLUICE_TOKEN: token } });
    },
    async submit({ url }, service) {
      return opened(await connectQueues(url, { service, token: adminToken }));
    },
    model: async () => opened(await openModel()),
    network: async (target) => opened(await openNetwork(target)),
    async close() {
      for (const close of closing.reverse()) await close();
      await commands.close();
    },
  };
}

/** Resolves with the first instance of the service that fits. */
export async function seen(
  { client }: RunningServer,
  service: string,
  fits: (instance: InstanceInfo) => boolean,
): Promise<InstanceInfo> {
  let last: readonly InstanceInfo[] = [];
  for (const until = Date.now() + patienceMs; Date.now() < until; ) {
    last = await client.instances(service);
    const found = last.find(fits);
    if (found !== undefined) return found;
    await pause(pollMs);
  }
  throw new Error(`no such instance among ${JSON.stringify(last)}`);
}

/** A request that the model holds. */
export interface HeldRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  answer(text: string): void;
}

export interface HeldModel {
  readonly url: string;
  /** All that came, in order. */
  readonly requests: readonly HeldRequest[];
  /** The request of that number, from 1, once it is there. */
  request(number: number): Promise<HeldRequest>;
  close(): Promise<void>;
}

async function openModel(): Promise<HeldModel> {
  const requests: HeldRequest[] = [];
  const arrivals = new Set<() => void>();
  const server = createHttpServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const { method = '', url: path = '' } = request;
      requests.push({ method, path, body, answer: (text) => void response.end(text) });
      for (const arrival of arrivals) arrival();
    });
  });
  const url = await listening(server);
  return {
    url,
    requests,
    request: (number) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no request ${number}`)), patienceMs);
        const look = (): void => {
          const found = requests[number - 1];
          if (found === undefined) return;
          clearTimeout(late);
          arrivals.delete(look);
          resolve(found);
        };
        arrivals.add(look);
        look();
      }),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface Network {
  readonly url: string;
  /** Cuts every connection, and all new ones, until `mend`. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

async function openNetwork(target: string): Promise<Network> {
  const port = Number(new URL(target).port);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      // A cut connection is what the tests are about.
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  const url = await listening(server);
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url,
    cut,
    mend: () => {
      isCut = false;
    },
    async close() {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A listening TCP server has an address with a port.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
