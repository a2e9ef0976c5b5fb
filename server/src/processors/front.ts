// The HTTP front that every kind of processor stands behind: `GET /` describes the model,
// `GET /health` says whether it is loaded, all else goes to the model. Bodies are bounded, mistakes
// become problem documents, and an end waits for the calls that run.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import { sendAnswer } from './front-answer.ts';
import { readCall } from './front-call.ts';
import { type Answer, InputError, LostError, type Processor } from './processor.ts';

/** Largest body of a call, unless set. */
export const defaultBodyBytesMax: number = 64 * 2 ** 20;
/** More are refused by the system: each may hold a body. */
const connectionsMax = 4096;
/** Pooled clients keep connections for a minute. */
const keepAliveMs = 75_000;

/** One call that has ended. */
export interface EndedCall {
  readonly method: string;
  readonly path: string;
  /** 499: the caller left before it was answered. */
  readonly status: number;
  readonly elapsedMs: number;
  readonly bytesIn: number;
  /** Why it failed: the caller's mistake, or the model's. */
  readonly error: unknown;
}

export interface FrontOptions {
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  readonly bodyBytesMax: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of each call but those of `/health`. */
  readonly observe?: ((call: EndedCall) => void) | undefined;
}

/** A processor with the calls that it works on. */
interface Shown {
  readonly processor: Processor;
  calls: number;
  /** Called when its last call has ended, once it is shown no more. */
  idle: (() => void) | undefined;
}

export class Front implements Component {
  readonly #options: FrontOptions;
  readonly #server: Server;
  /** Aborts what still runs when patience is over. */
  readonly #hurry = new AbortController();
  #shown: Shown | undefined;
  /** Why there is no model: it loads, or could not be loaded. */
  #missing = 'the model is being loaded';
  /** Answers that are not out yet. */
  #open = 0;
  #isStopping = false;
  #stopped: Promise<void> | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 0 });
    this.#server.maxConnections = connectionsMax;
    this.#server.on('request', (request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.#options.log.error({ error }, 'a call was not answered');
        response.destroy();
      });
    });
  }

  /** Listens; until `show` all is answered 503. Rejects when the address is taken. */
  async start(): Promise<void> {
    if (this.#server.listening) return;
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }

  get url(): string {
    // A server that listens on TCP has an address of this form.
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** From now on calls go to this processor. The one before is closed when its calls have ended. */
  async show(processor: Processor): Promise<void> {
    const before = this.#shown;
    this.#shown = { processor, calls: 0, idle: undefined };
    await retire(before);
  }

  /** From now on calls are answered 503 with `why`. */
  async hide(why: string): Promise<void> {
    this.#missing = why;
    const before = this.#shown;
    this.#shown = undefined;
    await retire(before);
  }

  /** Takes no more calls, waits for those that run and closes the processor. Calls that run after
   * `graceMs` are aborted and cut. */
  stop(graceMs: number = Number.POSITIVE_INFINITY): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  /** Cuts a stop short. */
  cut(): void {
    this.#hurry.abort();
    this.#server.closeAllConnections();
  }

  async #stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#closeUnused();
    const { clock } = this.#options;
    const last = Number.isFinite(graceMs) ? clock.after(graceMs, () => this.cut()) : undefined;
    const shown = this.#shown;
    this.#shown = undefined;
    this.#missing = 'the model server is being ended';
    await Promise.all([closed, retire(shown)]);
    last?.cancel();
  }

  /** While it stops, connections are kept for no further call, nor those on which none ever came. */
  #closeUnused(): void {
    if (!this.#isStopping) return;
    if (this.#open === 0) this.#server.closeAllConnections();
    else this.#server.closeIdleConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, log, observe } = this.#options;
    const startedAt = clock.now().mono;
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
      this.#open -= 1;
      this.#closeUnused();
    });
    this.#open += 1;
    const { method = 'GET' } = request;
    let bytesIn = 0;
    let error: unknown;
    let status = 0;
    try {
      const signal = AbortSignal.any([gone.signal, this.#hurry.signal]);
      const answer = await this.#answer(request, signal, (size) => {
        bytesIn = size;
      });
      status = answer.status;
      await sendAnswer(response, answer, { isHead: method === 'HEAD', signal });
    } catch (caught) {
      error = caught;
      status = caught instanceof InputError ? caught.status : 500;
      if (!response.destroyed) await this.#sayWrong(response, caught, method === 'HEAD');
    }
    if (gone.signal.aborted) status = 499;
    const path = request.url?.split('?')[0] ?? '/';
    const elapsedMs = clock.now().mono - startedAt;
    if (status >= 500 && error !== undefined) {
      log.error({ method, path, status, error }, 'a call failed');
    }
    if (path !== '/health') observe?.({ method, path, status, elapsedMs, bytesIn, error });
  }

  async #answer(
    request: IncomingMessage,
    signal: AbortSignal,
    received: (bytes: number) => void,
  ): Promise<Answer> {
    const shown = this.#shown;
    if (shown === undefined) return unavailable(this.#missing);
    const { bodyBytesMax } = this.#options;
    const call = await readCall(request, { signal, bodyBytesMax });
    received(call.body.length);
    const isLook = call.method === 'GET' || call.method === 'HEAD';
    if (isLook && call.path === '/health') return json(200, { status: 'ok' });
    if (isLook && call.path === '/') return json(200, shown.processor.description);
    shown.calls += 1;
    try {
      const answer = await shown.processor.answer(call);
      if (answer.stream === undefined) return answer;
      // The processor is at work until the last piece is out.
      shown.calls += 1;
      return { ...answer, stream: counted(answer.stream, () => release(shown)) };
    } finally {
      release(shown);
    }
  }

  async #sayWrong(response: ServerResponse, error: unknown, isHead: boolean): Promise<void> {
    // What began cannot be taken back: a cut shows that the answer is not whole.
    if (response.headersSent || error instanceof LostError) {
      response.destroy();
      return;
    }
    await sendAnswer(response, problemOf(error), {
      isHead,
      signal: this.#hurry.signal,
    });
  }
}

/** The problem document of whatever a processor threw. */
export function problemOf(error: unknown): Answer {
  if (error instanceof InputError) {
    const { status, message: detail, field, row, headers } = error;
    const type = `urn:sluice:processor:${status < 500 ? 'input' : 'model'}`;
    const title = status < 500 ? 'The request does not fit the model' : 'The model failed';
    const where = {
      ...(field === undefined ? {} : { field }),
      ...(row === undefined ? {} : { row }),
    };
    return problem({ type, title, status, detail, ...where }, headers);
  }
  const detail = error instanceof Error ? error.message : String(error);
  const title = 'The model failed';
  return problem({ type: 'urn:sluice:processor:model', title, status: 500, detail });
}

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
}

function unavailable(detail: string): Answer {
  const title = 'The model is not ready';
  const headers = { 'Retry-After': '1' };
  return problem({ type: 'urn:sluice:processor:loading', title, status: 503, detail }, headers);
}

function problem(document: Problem, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = Buffer.from(JSON.stringify(document));
  return { status: document.status, contentType: 'application/problem+json', body, headers };
}

function json(status: number, value: unknown): Answer {
  const body = Buffer.from(JSON.stringify(value));
  return { status, contentType: 'application/json', body };
}

function release(shown: Shown): void {
  shown.calls -= 1;
  if (shown.calls === 0) shown.idle?.();
}

async function retire(shown: Shown | undefined): Promise<void> {
  if (shown === undefined) return;
  if (shown.calls > 0) {
    await new Promise<void>((resolve) => {
      shown.idle = resolve;
    });
  }
  await shown.processor.close();
}

/** The same stream; `ended` is called once, when it is over or was left. A generator is not: it
 * would pass a `return` on only after the piece that it waits for. */
function counted(stream: AsyncIterable<Uint8Array>, ended: () => void): AsyncIterable<Uint8Array> {
  const pieces = stream[Symbol.asyncIterator]();
  let isOver = false;
  const over = (): void => {
    if (!isOver) ended();
    isOver = true;
  };
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      const piece = await pieces.next();
      if (piece.done === true) over();
      return piece;
    } catch (error) {
      over();
      throw error;
    }
  };
  const leave = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      await pieces.return?.();
    } finally {
      over();
    }
    return { done: true, value: undefined };
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
}
