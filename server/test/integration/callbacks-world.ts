// What tests of callbacks share: a receiver that listens, an outbox in memory, and callbacks on a
// virtual clock, with a folder that outlives a restart.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RequestInfo } from '@sluice/sdk/wire';
import { onTestFinished } from 'vitest';
import { type BacklogLimits, backlogLimits } from '../../src/callbacks/backlog.ts';
import { Callbacks } from '../../src/callbacks/callbacks.ts';
import type { CallbackSource, Told } from '../../src/callbacks/source.ts';
import { allowList, type Resolve } from '../../src/kernel/address-filter.ts';
import type { ServiceEvent } from '../../src/kernel/events.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { noTerms, writeTerms } from '../../src/queue/terms.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** `hang`: no answer at all; `drip`: 200, and a body that never ends. */
export type Reply =
  | { readonly status: number; readonly headers?: Record<string, string> }
  | 'hang'
  | 'drip';

export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly calls: Received[];
  /** How the next calls are answered. */
  reply: Reply;
}

/** Listens until the test is over. */
export async function receiver(host = '127.0.0.1'): Promise<Receiver> {
  const calls: Received[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString();
      calls.push({ path: request.url ?? '', headers: request.headers, body });
      const { reply } = made;
      if (reply === 'drip') response.writeHead(200).write('.');
      else if (reply !== 'hang') response.writeHead(reply.status, reply.headers ?? {}).end('noted');
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const made: Receiver = {
    url: `http://${host}:${port}/hook`,
    port,
    calls,
    reply: { status: 204 },
  };
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return made;
}

export interface Resting {
  readonly url: string;
  readonly state?: RequestInfo['state'];
  readonly events?: readonly string[];
  readonly result?: Told['result'];
}

export interface CallbackWorld {
  readonly clock: VirtualClock;
  readonly folder: string;
  readonly callbacks: Callbacks;
  readonly events: ServiceEvent[];
  /** What is not done yet, by index. */
  readonly outbox: Map<number, string>;
  readonly settings: { allow: string[]; resultBytesMax: number; timeoutMs: number };
  /** Fails the next so many times. */
  failures: { done: number };
  /** A request of this index comes to rest, and its callback into the outbox. */
  rest(index: number, resting: Resting): void;
  /** The same without a word to `callbacks`. */
  restSilently(index: number, resting: Resting): void;
  /** As after an end of the process: what is under way is lost. */
  restart(): Promise<void>;
}

export interface WorldOptions {
  readonly resolve?: Resolve;
  readonly limits?: Partial<BacklogLimits>;
}

/** Callbacks of the service `ocr`, which may call this machine. */
export async function callbackWorld(options: WorldOptions = {}): Promise<CallbackWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-callbacks-'));
  const clock = new VirtualClock(new SeededRandom(1));
  clock.jumpWall(Date.now() - clock.now().wall);
  const events: ServiceEvent[] = [];
  const outbox = new Map<number, string>();
  const rested = new Map<number, Told>();
  const settings = { allow: ['127.0.0.0/8'], resultBytesMax: 16_384, timeoutMs: 20_000 };
  const failures = { done: 0 };
  const source: CallbackSource = {
    number: 1,
    settings: () => ({ ...settings, allow: allowList(settings.allow, 'callbacks.allow') }),
    async pending(from, limit) {
      const rows = [...outbox].filter(([index]) => index >= from).sort((a, b) => a[0] - b[0]);
      return rows.slice(0, limit).map(([index, terms]) => ({ index, terms }));
    },
    async done(index) {
      if (failures.done > 0) {
        failures.done--;
        throw new Error('the disk is busy');
      }
      outbox.delete(index);
    },
    tell: async (index) => rested.get(index),
  };
  const make = async (): Promise<Callbacks> => {
    const made = new Callbacks({
      folder,
      clock,
      random: systemRandom,
      log: silentLog,
      record: (event) => void events.push(event),
      resolve: options.resolve ?? (() => Promise.reject(new Error('no such name'))),
      agent: 'sluice/test',
      limits: { ...backlogLimits, ...options.limits },
    });
    await made.start();
    await made.open('ocr', source);
    return made;
  };
  let callbacks = await make();
  onTestFinished(async () => {
    await callbacks.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const restSilently = (index: number, { url, state, events: told, result }: Resting): void => {
    const wish = { url, events: told ?? [] };
    outbox.set(index, writeTerms({ ...noTerms, callback: wish }) ?? '');
    const request = requestOf(index, clock.now().wall, state ?? 'succeeded', wish);
    rested.set(index, { request, result });
  };
  return {
    clock,
    folder,
    get callbacks() {
      return callbacks;
    },
    events,
    outbox,
    settings,
    failures,
    restSilently,
    rest(index, resting) {
      restSilently(index, resting);
      callbacks.written('ocr', { index, terms: outbox.get(index) ?? '' });
    },
    async restart() {
      await callbacks.stop();
      callbacks = await make();
    },
  };
}

function requestOf(
  index: number,
  wall: number,
  state: RequestInfo['state'],
  callback: RequestInfo['callback'],
): RequestInfo {
  const at = new Date(wall).toISOString();
  const id = `${index}-0123abcd`;
  const path = `/v1/services/ocr/requests/${id}`;
  return {
    id,
    service: 'ocr',
    index,
    requestId: `request ${index}`,
    state,
    cause: 'completed',
    why: null,
    position: null,
    estimate: null,
    acceptedAt: at,
    firstDeliveredAt: at,
    lastDeliveredAt: at,
    firstOutputAt: null,
    doneAt: at,
    retainUntil: null,
    delayUntil: null,
    finishBy: null,
    instance: 'ocr-1',
    revision: 1,
    deliveries: 1,
    outcomes: [],
    code: '200',
    reason: '',
    sizeIn: 3,
    sizeOut: 4,
    priority: 0,
    tags: {},
    owner: null,
    path: null,
    home: 'record',
    idempotencyKey: null,
    callback,
    cancel: null,
    redriveOf: null,
    redrivenAs: null,
    progress: null,
    links: { status: path, result: `${path}/result`, events: `${path}/events`, cancel: path },
  };
}
