// The mock model server: answers with what it was sent, as slowly, as unreliably and in as many
// pieces as it was told. /healthz says that it is there, /stats what it has seen.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Address } from '../../config/address.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Component } from '../../kernel/component.ts';
import { Batcher, type BatchSettings } from './batcher.ts';
import type { Chance } from './chance.ts';
import { draw, type Latency } from './latency.ts';

export interface MockModelSettings {
  readonly listen: Address;
  readonly latency: Latency;
  /** Share of the requests that get a status instead of an answer, each at most once. */
  readonly failures: readonly { readonly status: number; readonly rate: number }[];
  /** Share of the requests whose connection is cut in the middle of the answer. */
  readonly cutRate: number;
  /** The answer comes as that many words, one each `paceMs`; 0 = in one piece. */
  readonly tokens: number;
  readonly paceMs: number;
  readonly batch: BatchSettings | undefined;
  /** Requests at a time; more get `busyStatus`. 0 = any number. */
  readonly concurrency: number;
  readonly busyStatus: number;
  /** The process crashes in the middle of that request; 0 = never. */
  readonly crashAfter: number;
  /** /healthz answers 503 for so long. */
  readonly startupMs: number;
  /** Answer with this instead of the request's own body. */
  readonly answer: string | undefined;
}

export interface MockModelParts {
  readonly clock: Clock;
  readonly chance: Chance;
  /** Ends the process at once, as a crash would. */
  crash(): void;
}

const bodyBytesMax = 64 * 2 ** 20;

interface Stats {
  received: number;
  answered: number;
  failed: number;
  busy: number;
  open: number;
  openMax: number;
}

export class MockModel implements Component {
  readonly #settings: MockModelSettings;
  readonly #parts: MockModelParts;
  readonly #server: Server;
  readonly #batcher: Batcher | undefined;
  readonly #stats: Stats = { received: 0, answered: 0, failed: 0, busy: 0, open: 0, openMax: 0 };
  #readyAt = 0;

  constructor(settings: MockModelSettings, parts: MockModelParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#batcher =
      settings.batch === undefined ? undefined : new Batcher(settings.batch, parts.clock);
    this.#server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  async start(): Promise<void> {
    if (this.#server.listening) return;
    this.#readyAt = this.#parts.clock.now().mono + this.#settings.startupMs;
    const { host, port } = this.#settings.listen;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** The port it listens on; only between start and stop. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0];
    if (path === '/healthz') return this.#health(response);
    if (path === '/stats') return answerJson(response, this.#stats);
    const body = await readBody(request);
    if (body === undefined) return refuse(response, 413);
    const { concurrency, busyStatus, crashAfter } = this.#settings;
    if (concurrency > 0 && this.#stats.open >= concurrency) {
      this.#stats.busy += 1;
      return refuse(response, busyStatus);
    }
    this.#stats.received += 1;
    if (this.#stats.received === crashAfter) this.#parts.crash();
    this.#stats.open += 1;
    this.#stats.openMax = Math.max(this.#stats.openMax, this.#stats.open);
    try {
      await this.#infer(request, response, body);
    } finally {
      this.#stats.open -= 1;
    }
  }

  // All draws of a request are made when it arrives, in one order, so that a seed means a run.
  async #infer(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const { latency, cutRate, answer, tokens } = this.#settings;
    const workMs = draw(latency, this.#parts.chance);
    const failure = this.#chooseFailure();
    const isCut = this.#parts.chance() < cutRate;
    await Promise.all([this.#batcher?.join(), this.#wait(workMs)]);
    if (failure !== undefined) {
      this.#stats.failed += 1;
      return refuse(response, failure);
    }
    response.setHeader('Content-Type', request.headers['content-type'] ?? 'text/plain');
    const whole = answer === undefined ? body : Buffer.from(answer);
    if (isCut) {
      this.#stats.failed += 1;
      response.setHeader('Content-Length', whole.length + 1);
      response.write(whole);
      response.destroy();
      return;
    }
    if (tokens > 0) await this.#stream(response);
    else response.end(whole);
    this.#stats.answered += 1;
  }

  async #stream(response: ServerResponse): Promise<void> {
    for (let token = 1; token <= this.#settings.tokens; token += 1) {
      if (response.destroyed) return;
      response.write(token === 1 ? 'token1' : ` token${token}`);
      await this.#wait(this.#settings.paceMs);
    }
    response.end();
  }

  #chooseFailure(): number | undefined {
    let rest = this.#parts.chance();
    for (const { status, rate } of this.#settings.failures) {
      if (rest < rate) return status;
      rest -= rate;
    }
    return undefined;
  }

  #health(response: ServerResponse): void {
    const isReady = this.#parts.clock.now().mono >= this.#readyAt;
    response.writeHead(isReady ? 200 : 503, { 'Content-Type': 'text/plain' });
    response.end(isReady ? 'ok\n' : 'starting\n');
  }

  #wait(ms: number): Promise<void> | undefined {
    if (ms <= 0) return undefined;
    return new Promise((resolve) => void this.#parts.clock.after(ms, resolve));
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > bodyBytesMax) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Type': 'text/plain' });
  response.end(`mock model: ${status}\n`);
}

function answerJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}
