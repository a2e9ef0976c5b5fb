// Where models of this machine say how their work goes: a small HTTP server, on loopback or on the
// address under which containers know this machine. Every call under way has an address of its own
// that cannot be guessed and ends with the call; whoever knows it may report and keep a checkpoint
// for that request alone.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { errorKinds, PlatformError, type WorkNote } from '@sluice/sdk/wire';
import { checkpointBytesMax } from '../broker/service-queues.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { readReportBody, reportBytesMax } from './report-body.ts';

/** One call under way, as its model may speak of it. */
export interface ReportedCall {
  report(notes: readonly WorkNote[]): void;
  /** Durable when it resolves. */
  keep(checkpoint: Uint8Array): Promise<void>;
  checkpoint(): Promise<Uint8Array | undefined>;
}

/** Where the calls of one instance get their addresses. */
export interface ReportAddresses {
  /** The address of a call that begins; undefined: there is none now. */
  open(call: ReportedCall): string | undefined;
  /** The call is over. */
  close(url: string): void;
}

export interface ReportDeskOptions {
  readonly random: Random;
  readonly log: Log;
  /** Default: loopback. */
  readonly host?: string;
  /** Who is heard, by the address of the connection; default: everybody who gets here. */
  readonly hears?: (address: string) => boolean;
}

const connectionsMax = 4096;
const requestTimeoutMs = 30_000;

export class ReportDesk implements Component, ReportAddresses {
  readonly #host: string;
  readonly #random: Random;
  readonly #log: Log;
  readonly #server: Server;
  readonly #calls = new Map<string, ReportedCall>();
  #starting: Promise<void> | undefined;
  #url: string | undefined;

  constructor({ random, log, host = '127.0.0.1', hears = () => true }: ReportDeskOptions) {
    this.#host = host;
    this.#random = random;
    this.#log = log;
    this.#server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => this.#refuse(response, error));
    });
    this.#server.maxConnections = connectionsMax;
    this.#server.on('connection', (socket) => {
      if (!hears(socket.remoteAddress ?? '')) socket.destroy();
    });
  }

  /** What every address begins with; undefined: it has not started. */
  get url(): string | undefined {
    return this.#url;
  }

  start(): Promise<void> {
    this.#starting ??= this.#listen();
    return this.#starting;
  }

  async stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  open(call: ReportedCall): string | undefined {
    return this.openBelow('', call);
  }

  /** Like `open`, with a path before the part that nobody can guess. */
  openBelow(path: string, call: ReportedCall): string | undefined {
    if (this.#url === undefined) return undefined;
    const url = `${this.#url}${path}/${this.#random.id()}`;
    this.#calls.set(url, call);
    return url;
  }

  close(url: string): void {
    this.#calls.delete(url);
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, this.#host, () => {
        const address = this.#server.address();
        if (typeof address === 'object' && address !== null) {
          this.#url = `http://${showHost(this.#host)}:${address.port}`;
        }
        resolve();
      });
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const last = url.lastIndexOf('/');
    const whole = this.#calls.get(`${this.#url}${url}`);
    const call = whole ?? this.#calls.get(`${this.#url}${url.slice(0, last)}`);
    const what = whole === undefined ? url.slice(last + 1) : undefined;
    if (call === undefined) {
      throw new PlatformError('not_found', 'no call that is under way has this address');
    }
    const isKnown = what === undefined || what === 'checkpoint';
    if (!isKnown) throw new PlatformError('not_found', 'there is only /checkpoint below');
    switch (`${method} ${what ?? ''}`) {
      case 'POST ': {
        const body = await bodyOf(request, reportBytesMax);
        call.report(readReportBody(request.headers['content-type'], body));
        response.writeHead(204).end();
        return;
      }
      case 'PUT checkpoint':
        await call.keep(await bodyOf(request, checkpointBytesMax));
        response.writeHead(204).end();
        return;
      case 'GET checkpoint': {
        const checkpoint = await call.checkpoint();
        if (checkpoint === undefined) {
          throw new PlatformError('not_found', 'the request has no checkpoint');
        }
        response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(checkpoint);
        return;
      }
      default: {
        const allowed = what === undefined ? 'POST' : 'GET, PUT';
        response.writeHead(405, { Allow: allowed }).end();
      }
    }
  }

  #refuse(response: ServerResponse, error: unknown): void {
    const known = error instanceof PlatformError ? error : undefined;
    if (known === undefined) this.#log.error({ error }, 'a report failed');
    if (response.headersSent || response.destroyed) return;
    const status = errorKinds[known?.code ?? 'internal'].status;
    // What of the body has not been read is not wanted any more.
    response.writeHead(status, {
      'Content-Type': 'text/plain; charset=utf-8',
      Connection: 'close',
    });
    response.end(`${known?.message ?? 'internal error, see the log of Sluice'}\n`);
  }
}

function showHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > bytesMax) {
      throw new PlatformError('too_large', `a body here has at most ${bytesMax} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}
