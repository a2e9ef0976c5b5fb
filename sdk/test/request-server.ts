// A small server that speaks the request API, with its faults at hand: what a client has to bear.
// Requests are at rest when the test says so.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { defaultClock } from '../src/platform.ts';
import type { RequestInfo } from '../src/requests/request-info.ts';

export interface SeenCall {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers a call itself, or leaves it to the usual answer. */
export type Fault = (call: SeenCall, response: ServerResponse) => 'answered' | 'pass';

export interface RequestServer {
  readonly url: string;
  readonly calls: SeenCall[];
  /** How many requests there are: a request that was doubled shows here. */
  readonly accepted: RequestInfo[];
  /** What becomes of a request as soon as it is accepted; undefined: nothing yet. */
  model: (body: string) => Ending | undefined;
  /** What happens to the next calls, one each. */
  readonly faults: Fault[];
  /** Brings a request to rest. */
  finish(id: string, end: Ending): void;
  /** Changes what is told of a request. */
  change(id: string, change: Partial<RequestInfo>): void;
  close(): Promise<void>;
}

export interface Ending {
  readonly state: RequestInfo['state'];
  readonly body?: string;
  readonly modelStatus?: number;
}

interface Kept {
  info: RequestInfo;
  version: number;
  ending: Ending | undefined;
  readonly waiting: Set<() => void>;
}

export async function openRequestServer(): Promise<RequestServer> {
  const kept = new Map<string, Kept>();
  const keys = new Map<string, string>();
  const calls: SeenCall[] = [];
  const accepted: RequestInfo[] = [];
  const faults: Fault[] = [];
  const change = (id: string, what: Partial<RequestInfo>): void => {
    const request = kept.get(id);
    if (request === undefined) throw new Error(`no request ${id}`);
    request.info = { ...request.info, ...what };
    request.version += 1;
    for (const wake of [...request.waiting]) wake();
  };
  const submit = (call: SeenCall, response: ServerResponse): void => {
    const key = String(call.headers['idempotency-key']);
    const known = keys.get(key);
    const info = kept.get(known ?? '')?.info ?? newRequest(accepted.length + 1, call);
    if (known === undefined) {
      keys.set(key, info.id);
      kept.set(info.id, { info, version: 1, ending: undefined, waiting: new Set() });
      accepted.push(info);
      const ending = self.model(call.body);
      if (ending !== undefined) setImmediate(() => self.finish(info.id, ending));
    }
    send(response, 202, info, known === undefined ? {} : { 'Sluice-Repeated': 'true' });
  };
  const server = createServer((request, response) => {
    void readCall(request).then((call) => {
      calls.push(call);
      if (faults.shift()?.(call, response) === 'answered') return;
      if (call.method === 'POST' && !call.path.endsWith('/cancel')) return submit(call, response);
      if (call.path.startsWith('/requests?')) {
        return send(response, 200, { requests: [...accepted].reverse(), next: null });
      }
      const [, id = '', what = ''] = /^\/requests\/([^/?]+)(?:\/(\w+))?/.exec(call.path) ?? [];
      const found = kept.get(id);
      if (found === undefined) return problem(response, 404, 'not_found', `no request ${id}`);
      if (what === '') void status(found, call, response);
      else if (what === 'result') void result(found, call, response);
      else if (what === 'cancel') {
        change(id, { state: 'canceled', cause: 'canceled' });
        send(response, 200, found.info);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // What listens is an address with a port.
  const { port } = server.address() as AddressInfo;
  const self: RequestServer = {
    model: () => undefined,
    url: `http://127.0.0.1:${port}`,
    calls,
    accepted,
    faults,
    change,
    finish(id, ending) {
      const request = kept.get(id);
      if (request !== undefined) request.ending = ending;
      change(id, { state: ending.state });
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return self;
}

/** The connection ends without an answer. */
export const cut: Fault = (_call, response) => {
  response.socket?.resetAndDestroy();
  return 'answered';
};

/** A refusal with a problem document. */
export function refuse(status: number, code: string, retryAfter?: number): Fault {
  return (_call, response) => {
    const headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
    problem(response, status, code, 'refused by the test', headers);
    return 'answered';
  };
}

async function status(kept: Kept, call: SeenCall, response: ServerResponse): Promise<void> {
  const known = call.headers['if-none-match'];
  const etag = (): string => `"${kept.version}"`;
  if (known === etag() && call.headers.prefer !== undefined) await changed(kept, call, response);
  if (known === etag()) response.writeHead(304, { ETag: etag() }).end();
  else send(response, 200, kept.info, { ETag: etag() });
}

async function result(kept: Kept, call: SeenCall, response: ServerResponse): Promise<void> {
  while (kept.ending === undefined && call.headers.prefer !== undefined) {
    const isChanged = await changed(kept, call, response);
    if (response.destroyed) return;
    if (!isChanged) break;
  }
  const { ending } = kept;
  if (ending === undefined) return send(response, 202, kept.info, { 'Retry-After': '1' });
  if (ending.state === 'canceled') return problem(response, 410, 'gone', 'it was canceled');
  if (ending.body === undefined) return problem(response, 409, 'no_result', 'it died');
  const modelStatus = { 'Sluice-Model-Status': String(ending.modelStatus ?? 200) };
  if (ending.body === '') return void response.writeHead(204, modelStatus).end();
  response.writeHead(200, { 'Content-Type': 'text/plain', ...modelStatus }).end(ending.body);
}

/** Seconds pass twenty times as fast, as for the client. */
const secondMs = 50;

/** Whether it changed before the time of `Prefer: wait` was over. */
function changed(kept: Kept, call: SeenCall, response: ServerResponse): Promise<boolean> {
  const seconds = Number(/wait=(\d+)/.exec(String(call.headers.prefer))?.[1]);
  const { version } = kept;
  return new Promise((resolve) => {
    const wake = (): void => {
      late.cancel();
      kept.waiting.delete(wake);
      resolve(kept.version !== version);
    };
    const late = defaultClock.after(seconds * secondMs, wake);
    kept.waiting.add(wake);
    response.once('close', wake);
  });
}

async function readCall(request: IncomingMessage): Promise<SeenCall> {
  let body = '';
  for await (const piece of request) body += String(piece);
  const path = (request.url ?? '').replace('/v1/services/ocr', '');
  return { method: request.method ?? '', path, headers: request.headers, body };
}

export function send(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, { 'Content-Type': 'application/json', ...headers })
    .end(JSON.stringify(value));
}

function problem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  send(response, status, { type: `urn:sluice:error:${code}`, status, detail, code }, headers);
}

function newRequest(index: number, call: SeenCall): RequestInfo {
  const id = `${index}-00000000`;
  return {
    id,
    service: 'ocr',
    index,
    requestId: `r${index}`,
    state: 'queued',
    cause: null,
    why: { code: 'next', text: 'It is next.', until: null },
    position: 0,
    estimate: null,
    acceptedAt: '2026-01-01T00:00:00Z',
    firstDeliveredAt: null,
    lastDeliveredAt: null,
    firstOutputAt: null,
    doneAt: null,
    retainUntil: null,
    delayUntil: null,
    finishBy: null,
    instance: '',
    revision: null,
    deliveries: 0,
    outcomes: [],
    code: '',
    reason: '',
    sizeIn: call.body.length,
    sizeOut: 0,
    priority: 0,
    tags: {},
    owner: null,
    path: null,
    home: 'record',
    idempotencyKey: String(call.headers['idempotency-key']),
    callback: null,
    cancel: null,
    redriveOf: null,
    redrivenAs: null,
    progress: null,
    links: { status: '', result: '', events: '', cancel: '' },
  };
}
