// A store of models in a folder of its own, a server of files that can be told to misbehave, and a
// clock on which pauses take no time.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allowList } from '../../src/kernel/address-filter.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { type Log, silentLog } from '../../src/kernel/log.ts';
import { type FetchRules, ossSettingsOf, s3SettingsOf } from '../../src/kernel/object-store.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { type HeldModel, ModelCache, type ModelCacheOptions } from '../../src/models/store.ts';

export const mebibyte: number = 2 ** 20;

export const closedRules: FetchRules = { allow: allowList([], 'model.allow'), buckets: [] };
export const openRules: FetchRules = {
  allow: allowList(['127.0.0.0/8'], 'model.allow'),
  buckets: ['models'],
};

/** Keeps how long each pause was meant to be. */
export class HastyClock implements Clock {
  readonly pausesMs: number[] = [];
  now = systemClock.now;
  defer = systemClock.defer;

  after(delayMs: number, fire: () => void): { cancel: () => void } {
    this.pausesMs.push(delayMs);
    let isOver = false;
    systemClock.defer(() => {
      if (!isOver) fire();
    });
    return {
      cancel: () => {
        isOver = true;
      },
    };
  }
}

export interface HoldWishes {
  readonly checksum?: string;
  readonly rules?: FetchRules;
  readonly signal?: AbortSignal;
}

export class ModelWorld {
  readonly folder: string;
  readonly models: string;
  readonly clock: HastyClock = new HastyClock();
  readonly warnings: string[] = [];
  readonly progress: string[] = [];
  cache: ModelCache;

  private constructor(folder: string, options: Partial<ModelCacheOptions>) {
    this.folder = folder;
    this.models = join(folder, 'models');
    this.cache = this.#cache(options);
  }

  static async open(options: Partial<ModelCacheOptions> = {}): Promise<ModelWorld> {
    const world = new ModelWorld(await mkdtemp(join(tmpdir(), 'sluice-models-')), options);
    await world.cache.start();
    return world;
  }

  /** As after a stop and a start of the server. */
  async restart(options: Partial<ModelCacheOptions> = {}): Promise<void> {
    await this.cache.stop();
    this.cache = this.#cache(options);
    await this.cache.start();
  }

  hold(address: string, wishes: HoldWishes = {}): Promise<HeldModel> {
    const { checksum, rules = openRules, signal = new AbortController().signal } = wishes;
    const progress = (text: string): void => void this.progress.push(text);
    return this.cache.hold({ address, checksum, rules }, { signal, progress });
  }

  files(): Promise<readonly string[]> {
    return readdir(this.models);
  }

  async close(): Promise<void> {
    await this.cache.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #cache(options: Partial<ModelCacheOptions>): ModelCache {
    const warn: Log['warn'] = (_fields, message) => void this.warnings.push(message);
    return new ModelCache({
      folder: this.models,
      modelBytesMax: 64 * mebibyte,
      bytesMax: 256 * mebibyte,
      reserveBytes: 0,
      s3: s3SettingsOf({}),
      oss: ossSettingsOf({}),
      clock: this.clock,
      random: systemRandom,
      log: { ...silentLog, warn },
      ...options,
    });
  }
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of one file, as honest as it is told to be. */
export class Origin {
  readonly url: string;
  /** Of each request: its path, and the headers that ask for less than all. */
  readonly asked: string[] = [];
  bytes: Buffer;
  etag = '"one"';
  /** Answers instead of the file; `serve` does what it does else. */
  answer: Answer = (request, response) => this.serve(request, response);
  readonly #server: Server;

  private constructor(server: Server, url: string, bytes: Buffer) {
    this.#server = server;
    this.url = url;
    this.bytes = bytes;
  }

  static async open(bytes: Buffer): Promise<Origin> {
    const server = createServer((request, response) => {
      const { range, 'if-none-match': known } = request.headers;
      const conditions = [range, known === undefined ? undefined : `unless ${known}`];
      const asked = [request.url, ...conditions.filter((each) => each !== undefined)].join(' ');
      origin.asked.push(asked);
      response.on('error', () => undefined);
      origin.answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const origin = new Origin(server, `http://127.0.0.1:${port}`, bytes);
    return origin;
  }

  get sum(): string {
    return `sha256:${createHash('sha256').update(this.bytes).digest('hex')}`;
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    const { range, 'if-range': since, 'if-none-match': known } = request.headers;
    response.setHeader('etag', this.etag);
    if (known === this.etag) {
      response.writeHead(304).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (from > 0 && (since === undefined || since === this.etag)) {
      const rest = this.bytes.subarray(from);
      const end = this.bytes.length - 1;
      response.writeHead(206, {
        'content-length': rest.length,
        'content-range': `bytes ${from}-${end}/${this.bytes.length}`,
      });
      response.end(rest);
      return;
    }
    response.writeHead(200, { 'content-length': this.bytes.length }).end(this.bytes);
  }

  /** Sends so many bytes of what it says it sends, and cuts the connection. */
  cut(request: IncomingMessage, response: ServerResponse, bytes: number): void {
    const { range } = request.headers;
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const total = this.bytes.length;
    const head = { etag: this.etag, 'content-length': total - from };
    const part = { ...head, 'content-range': `bytes ${from}-${total - 1}/${total}` };
    response.writeHead(from > 0 ? 206 : 200, from > 0 ? part : head);
    response.write(this.bytes.subarray(from, from + bytes), () => response.socket?.end());
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
