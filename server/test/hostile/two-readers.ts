// The same bytes to two servers: the edge's listener with its lane, and node:http alone. Both
// write down the requests they see and answer each; a test compares the two.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { refuseSocket } from '../../src/http/answer.ts';
import { defaultEdgeLimits } from '../../src/http/limits.ts';
import { Listener } from '../../src/http/listener.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { SentBytes } from './request-bytes.ts';

/** A request as a server saw it, whole. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What one connection brought about. */
export interface Outcome {
  readonly seen: readonly Seen[];
  /** Of the answers, in order; those before the last one of a request are left out. */
  readonly statuses: readonly number[];
  /** How many requests the lane served. */
  readonly plain: number;
}

const limits = { ...defaultEdgeLimits, headersBytesMax: 8192, stopMs: 100 };
/** Larger bodies are none of the lane's. */
const plainBodyMax = 2000;

/** How a conversation goes. */
export interface Manner {
  /** Turns of the event loop before each answer. */
  readonly delays: number;
  /** The client ends its side right behind its last byte, and waits for nothing. */
  readonly hurries: boolean;
}

/** What is seen on the connection that is open now. */
interface Book {
  seen: Seen[];
  plain: number;
  unanswered: number;
  /** Grows with everything that happens. */
  events: number;
  socket: Socket | undefined;
}

export class TwoReaders {
  readonly #listener: Listener;
  readonly #node: Server;
  readonly #laneBook = newBook();
  readonly #nodeBook = newBook();
  #delays = 0;

  constructor() {
    const plain = {
      admit: (head: {
        url: string;
        headers: Readonly<Record<string, string>>;
        bodyBytes: number;
      }) => {
        if (head.bodyBytes > plainBodyMax || !head.url.startsWith('/api/predict/'))
          return undefined;
        return (
          body: Uint8Array,
          answer: (said: { status: number; text: string; headers: [] }) => void,
        ) => {
          const { url } = head;
          const headers = headersOf(head.headers);
          const seen = { method: 'POST', url, headers, body: latin1(body) };
          this.#see(this.#laneBook, seen, () => answer({ status: 200, text: 'ok', headers: [] }));
          this.#laneBook.plain += 1;
        };
      },
      bodies: { reserve: () => true, release: () => undefined },
    };
    this.#listener = new Listener({
      host: '127.0.0.1',
      port: 0,
      tls: undefined,
      limits,
      clock: systemClock,
      log: silentLog,
      handler: {
        request: (request, response) => {
          // Node alone says so by itself.
          if (request.headers.expect !== undefined) response.writeContinue();
          this.#collect(this.#laneBook, request, response);
        },
        upgrade: (_request, socket) => socket.destroy(),
        plain,
        drain: () => undefined,
      },
    });
    this.#node = createServer({ maxHeaderSize: limits.headersBytesMax, keepAliveTimeout: 75_000 });
    this.#node.maxHeadersCount = 0;
    this.#node.on('request', (request, response) => {
      this.#collect(this.#nodeBook, request, response);
    });
    this.#node.on('clientError', (error, socket) => {
      const busy = '_httpMessage' in socket && Boolean(socket._httpMessage);
      if (!socket.writable || busy) socket.destroy();
      else refuseSocket(socket, { status: statusOf(error), text: 'refused', headers: [] });
    });
  }

  async start(): Promise<void> {
    await this.#listener.start();
    await new Promise<void>((resolve) => this.#node.listen(0, '127.0.0.1', () => resolve()));
  }

  async stop(): Promise<void> {
    this.#node.closeAllConnections();
    await new Promise((resolve) => this.#node.close(resolve));
    await this.#listener.stop();
  }

  /** What becomes of these bytes on either server. */
  async play(sent: SentBytes, manner: Manner): Promise<{ lane: Outcome; node: Outcome }> {
    this.#delays = manner.delays;
    const { port } = this.#listener.address();
    // A server that listens on TCP has such an address.
    const { port: nodePort } = this.#node.address() as AddressInfo;
    const lane = await converse(port, sent, manner, this.#laneBook);
    const node = await converse(nodePort, sent, manner, this.#nodeBook);
    return { lane, node };
  }

  #collect(book: Book, request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    const { method = '', url = '' } = request;
    book.events += 1;
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const body = latin1(Buffer.concat(chunks));
      const seen = { method, url, headers: headersOf(request.headers), body };
      this.#see(book, seen, () => response.end('ok'));
    });
  }

  #see(book: Book, seen: Seen, answer: () => void): void {
    book.seen.push(seen);
    book.unanswered += 1;
    book.events += 1;
    const wait = (turns: number): void => {
      if (turns > 0) {
        setImmediate(wait, turns - 1);
        return;
      }
      book.unanswered -= 1;
      book.events += 1;
      answer();
    };
    wait(this.#delays);
  }
}

function newBook(): Book {
  return { seen: [], plain: 0, unanswered: 0, events: 0, socket: undefined };
}

/** Sends everything in its pieces, waits until nothing more happens, ends. */
async function converse(
  port: number,
  { text, cuts }: SentBytes,
  { hurries }: Manner,
  book: Book,
): Promise<Outcome> {
  Object.assign(book, newBook());
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const received: Buffer[] = [];
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    received.push(chunk);
    book.events += 1;
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true;
      resolve();
    });
  });
  const bytes = Buffer.from(text, 'latin1');
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (socket.writable && to > from) socket.write(bytes.subarray(from, to));
    from = to;
    if (!hurries || to < bytes.length) await turns(3);
  }
  if (hurries) socket.end();
  for (let before = -1; before !== book.events || book.unanswered > 0; ) {
    before = book.events;
    await turns(6);
  }
  if (!isClosed) {
    socket.end();
    await Promise.race([closed, tooLong()]);
  }
  const { seen, plain } = book;
  return { seen, plain, statuses: statusesIn(Buffer.concat(received).toString('latin1')) };
}

/** A connection whose client has ended its side is nobody's; none may be left standing. */
async function tooLong(): Promise<never> {
  await setTimeout(5000, undefined, { ref: false });
  throw new Error('the server keeps a connection that its client has ended');
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)]
    .map(([, status]) => Number(status))
    .filter((status) => status >= 200);
}

/** Texts by name. Node's object of headers cannot hold one of this name. */
function headersOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => name !== '__proto__');
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

function statusOf(error: Error): number {
  const code = 'code' in error ? error.code : '';
  return code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
