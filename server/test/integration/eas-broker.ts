// A service whose queues are real, on the engine in memory, behind an edge; and the two kinds of
// watchers that tests hold on to.

import { once } from 'node:events';
import { decodeFrame, decodeFrameList, type Frame, noTags } from '@sluice/sdk/wire';
import { WebSocket } from 'ws';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues } from '../../src/broker/queues.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import type { EdgeOptions } from '../../src/http/edge.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { defaultSettings, type ServiceSettings } from '../../src/queue/settings.ts';
import { type Answer, atEnd, call, serviceOf, startEdge, token } from './eas-world.ts';

export const path = '/api/predict/svc';
export const protobuf = 'application/vnd.google.protobuf';

export interface Client {
  readonly port: number;
  readonly queues: Queues;
  readonly stop: () => Promise<void>;
  readonly pauseWatches: () => void;
  post(query?: string, body?: string, headers?: Record<string, string>): Promise<Answer>;
  get(query: string, headers?: Record<string, string>): Promise<Answer>;
  put(query: string, body?: string, headers?: Record<string, string>): Promise<Answer>;
  delete(query: string): Promise<Answer>;
  /** The messages of a get, in protobuf. */
  frames(query: string): Promise<Frame[]>;
  attributes(headers?: Record<string, string>): Promise<Record<string, string>>;
}

/** Starts all of it; `at` is the queue the client talks to. */
export async function startService(
  options: {
    readonly settings?: Partial<ServiceSettings>;
    readonly clock?: Clock;
    readonly edge?: Partial<EdgeOptions>;
  } = {},
): Promise<{ readonly input: Client; readonly sink: Client }> {
  const clock = options.clock ?? systemClock;
  const engine = new MemoryEngine();
  const broker = new Broker({ engine, clock, random: systemRandom, log: silentLog });
  await broker.start();
  atEnd(() => broker.stop());
  const settings = { ...defaultSettings, ...options.settings };
  const queues = await broker.open({ number: 1, name: 'svc', settings });
  const { edge, port } = await startEdge([serviceOf(queues)], { clock, ...options.edge });
  const basics = {
    port,
    queues,
    stop: () => edge.stop(),
    pauseWatches: () => edge.pauseWatches(),
  };
  return { input: clientOf(basics, path), sink: clientOf(basics, `${path}/sink`) };
}

function clientOf(
  basics: Pick<Client, 'port' | 'queues' | 'stop' | 'pauseWatches'>,
  at: string,
): Client {
  const { port } = basics;
  const whole = (query: string) => (query.startsWith('/') ? at + query : `${at}?${query}`);
  return {
    ...basics,
    post: (query = '', body = '', headers = {}) =>
      call(port, whole(query), { method: 'POST', body, headers }),
    get: (query, headers = {}) => call(port, whole(query), { headers }),
    put: (query, body = '', headers = {}) =>
      call(port, whole(query), { method: 'PUT', body, headers }),
    delete: (query) => call(port, whole(query), { method: 'DELETE' }),
    async frames(query) {
      const answer = await call(port, whole(`_raw_=false&${query}`), {
        headers: { accept: protobuf },
      });
      return decodeFrameList(answer.body);
    },
    async attributes(headers = {}) {
      return JSON.parse((await call(port, whole('_attrs_=true'), { headers })).text);
    },
  };
}

/** A watcher over a WebSocket, as the SDKs have it. */
export class Watcher {
  readonly webSocket: WebSocket;
  readonly frames: Frame[] = [];
  closeCode: number | undefined;
  #waiting: (() => void)[] = [];

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) throw new Error('a text message');
      this.frames.push(decodeFrame(data));
      this.#wake();
    });
    webSocket.on('close', (code) => {
      this.closeCode = code;
      this.#wake();
    });
  }

  /** Rejects with the status when the handshake is refused. */
  static async open(
    port: number,
    query: string,
    options: { readonly uid?: string; readonly gid?: string; readonly at?: string } = {},
  ): Promise<Watcher> {
    const address = `ws://127.0.0.1:${port}${options.at ?? path}?_watch_=true&${query}`;
    const headers = {
      authorization: token,
      accept: protobuf,
      'x-eas-queueservice-redis-uid': options.uid ?? 'u1',
      'x-eas-queueservice-redis-gid': options.gid ?? 'eas',
    };
    const webSocket = new WebSocket(address, { headers, perMessageDeflate: false });
    const watcher = new Watcher(webSocket);
    atEnd(() => webSocket.terminate());
    await new Promise<void>((resolve, reject) => {
      webSocket.once('open', () => resolve());
      webSocket.once('error', reject);
    });
    return watcher;
  }

  get indexes(): number[] {
    return this.frames.map(({ index }) => index);
  }

  /** Resolves once that many messages came; rejects when the connection ends before. */
  async until(count: number): Promise<void> {
    while (this.frames.length < count) {
      if (this.closeCode !== undefined) throw new Error(`closed with ${this.closeCode}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async closed(): Promise<number> {
    while (this.closeCode === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.closeCode;
  }

  /** Cuts TCP without a close frame, as PY and JAVA do. */
  cut(): void {
    this.webSocket.terminate();
  }

  async close(): Promise<void> {
    this.webSocket.close(1000);
    await once(this.webSocket, 'close');
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each();
  }
}

/** Asks again until the answer is right: for what settles shortly after an answer. */
export async function eventually<Value>(
  ask: () => Promise<Value>,
  isRight: (value: Value) => boolean,
): Promise<Value> {
  for (let tries = 0; tries < 2000; tries++) {
    const value = await ask();
    if (isRight(value)) return value;
  }
  throw new Error('it never came to be');
}

/** The request id of a frame. */
export function idOf(frame: Frame | undefined): string | undefined {
  return (frame?.tags ?? noTags).get('requestId');
}
