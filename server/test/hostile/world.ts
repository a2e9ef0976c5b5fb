// A whole server in this process for hostile clients: two services without instances, the limits
// of the test's choice, and raw sockets of which every byte is the test's own.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient } from '@sluice/sdk';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Log, silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';

export const adminToken = 'the-admin-token-of-the-test';
/** Two services, each with a main token of its own. */
export const services = ['one', 'two'] as const;
export const tokenOf = (service: string): string => `the-main-token-of-${service}`;

export interface World {
  readonly url: string;
  readonly port: number;
  readonly admin: AdminClient;
  readonly platform: Platform;
  /** What the server logged as an error: bugs. */
  readonly errors: readonly string[];
  /** Opens a raw connection. */
  peer(): Promise<RawPeer>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly engine?: 'memory' | 'lmdb';
  /** `http.pollsMax=3` */
  readonly limits?: readonly string[];
  /** The `queue` block of both services. */
  readonly queue?: Readonly<Record<string, unknown>>;
  readonly flags?: Readonly<Record<string, unknown>>;
}

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-hostile-'));
  const environment = { HOME: folder, PATH: process.env.PATH, SLUICE_ADMIN_TOKEN: adminToken };
  const { engine = 'memory', limits = [], queue = {} } = options;
  const data = join(folder, 'data');
  const flags = { data, listen: '127.0.0.1:0', engine, limit: limits, ...options.flags };
  const config = loadConfig({ flags, environment, file: undefined });
  const errors: string[] = [];
  const parts = { clock: systemClock, random: systemRandom, log: listening(errors), environment };
  const platform = new Platform(config, parts);
  await platform.start();
  const admin = new AdminClient({ url: platform.url, token: adminToken });
  for (const name of services) {
    const metadata = { name, type: 'Async', instance: 0 };
    await admin.createService({ metadata, token: tokenOf(name), queue });
  }
  const peers: RawPeer[] = [];
  const port = Number(new URL(platform.url).port);
  return {
    url: platform.url,
    port,
    admin,
    platform,
    errors,
    async peer() {
      const peer = await RawPeer.connect(port);
      peers.push(peer);
      return peer;
    },
    async close() {
      for (const peer of peers) peer.socket.destroy();
      await platform.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function listening(errors: string[]): Log {
  return {
    ...silentLog,
    error: (...said: unknown[]) => void errors.push(JSON.stringify(said, plain)),
    child: () => listening(errors),
  };
}

function plain(_key: string, value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? value.message) : value;
}

/** One connection, byte by byte. */
export class RawPeer {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  #isClosed = false;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  static connect(port: number): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawPeer(socket));
      });
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get received(): Buffer {
    const whole = Buffer.concat(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  /** Forgets what came until now. */
  forget(): void {
    this.#chunks = [];
  }

  send(...pieces: (string | Uint8Array)[]): void {
    for (const piece of pieces) {
      if (!this.socket.writable) return;
      this.socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
    }
  }

  /** Resolves once what came satisfies `enough`; rejects when the connection ends before. */
  async until(enough: string | ((text: string) => boolean)): Promise<string> {
    const test = typeof enough === 'string' ? (text: string) => text.includes(enough) : enough;
    while (!test(this.text)) {
      if (this.#isClosed) throw new Error(`closed; received: ${this.text.slice(0, 500)}`);
      await this.#event();
    }
    return this.text;
  }

  /** Everything that came until the server closed. */
  async closed(): Promise<string> {
    while (!this.#isClosed) await this.#event();
    return this.text;
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each();
  }
}

/** The head of a request as bytes on the wire. */
export function head(...lines: readonly string[]): string {
  return `${[...lines, 'Host: localhost'].join('\r\n')}\r\n\r\n`;
}

/** A request with a token, whole. */
export function requestOf(
  method: string,
  path: string,
  options: {
    readonly token?: string | undefined;
    readonly body?: string | undefined;
    readonly headers?: readonly string[];
  } = {},
): string {
  const { token = tokenOf('one'), body, headers = [] } = options;
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`];
  const lines = [`${method} ${path} HTTP/1.1`, `Authorization: ${token}`, ...length, ...headers];
  return head(...lines) + (body ?? '');
}

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** The first whole answers in what a connection sent; those after them are left out. */
export function answersIn(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf('\r\n\r\n', at);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text.slice(at, at + 16))?.[1];
    if (end === -1 || status === undefined) return answers;
    const lines = text.slice(at, end);
    const length = Number(/^content-length: *(\d+)/im.exec(lines)?.[1] ?? 0);
    const body = text.slice(end + 4, end + 4 + length);
    if (body.length < length) return answers;
    at = end + 4 + length;
    if (status.startsWith('1')) continue;
    answers.push({ status: Number(status), head: lines, body });
  }
}

/** One request on a connection of its own, and its answer. */
export async function ask(world: Pick<World, 'peer'>, bytes: string): Promise<RawAnswer> {
  const peer = await world.peer();
  peer.send(bytes);
  const text = await peer.until((sofar) => answersIn(sofar).length > 0);
  peer.socket.destroy();
  const [answer] = answersIn(text);
  if (answer === undefined) throw new Error('no answer');
  return answer;
}
