// The world of the SDK's tests over real sockets: a broker on the memory engine behind the edge
// with both protocols, and a TCP proxy before it whose connections a test can cut.

import { once } from 'node:events';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { type Client, type ConnectOptions, connect } from '@sluice/sdk';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues } from '../../src/broker/queues.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import type { AccessSettings } from '../../src/http/access.ts';
import { attributesOf } from '../../src/http/eas/inspect.ts';
import { createEdge } from '../../src/http/edge.ts';
import { StreamServer } from '../../src/http/stream/server.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { defaultSettings, type ServiceSettings } from '../../src/queue/settings.ts';

export const service = 'ocr';
export const token = 'token-of-the-service';

export interface SdkWorld {
  readonly queues: Queues;
  /** Of the server itself, and of the proxy before it. */
  readonly url: string;
  readonly proxyUrl: string;
  connect(options?: Partial<ConnectOptions>): Promise<Client>;
  /** Cuts every connection that goes through the proxy now. */
  cut(): void;
  close(): Promise<void>;
}

export async function openSdkWorld(
  options: {
    readonly settings?: Partial<ServiceSettings>;
    readonly access?: Partial<AccessSettings>;
  } = {},
): Promise<SdkWorld> {
  const parts = { clock: systemClock, random: systemRandom, log: silentLog };
  const broker = new Broker({ engine: new MemoryEngine(), ...parts });
  await broker.start();
  const settings = { ...defaultSettings, ...options.settings };
  const queues = await broker.open({ number: 1, name: service, settings });
  const tokens = [{ name: 'main', secret: token, scopes: undefined }];
  const hosted = { name: service, queues, open: false, stopped: undefined, tokens };
  const common = {
    directory: { find: (name: string) => (name === service ? hosted : undefined) },
    ...parts,
    adminToken: undefined,
  };
  const streams = new StreamServer({
    ...common,
    agent: 'test',
    describe: (name, view) => attributesOf(name, view, { backend: 'memory' }),
  });
  const edge = createEdge({
    ...common,
    backend: 'memory',
    host: '127.0.0.1',
    port: 0,
    tls: undefined,
    access: { loopback: true, allowHosts: [], allowOrigins: [], ...options.access },
    stream: (_request, connection) => streams.accept(connection),
    fallback: (_request, response) => response.writeHead(404).end('nothing here'),
  });
  await edge.start();
  const { port } = edge.address();
  const proxy = await startProxy(port);
  const clients: Client[] = [];
  return {
    queues,
    url: `http://127.0.0.1:${port}`,
    proxyUrl: `http://127.0.0.1:${proxy.port}`,
    async connect(changes = {}) {
      const client = await connect(`http://127.0.0.1:${proxy.port}`, {
        service,
        token,
        ...changes,
      });
      clients.push(client);
      return client;
    },
    cut: proxy.cut,
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await proxy.close();
      streams.close();
      await edge.stop();
      await broker.stop();
    },
  };
}

interface Proxy {
  readonly port: number;
  cut(): void;
  close(): Promise<void>;
}

async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectSocket(target, '127.0.0.1');
    near.setNoDelay(true);
    far.setNoDelay(true);
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
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port,
    cut,
    async close() {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}
