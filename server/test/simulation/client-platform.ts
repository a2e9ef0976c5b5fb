// What the SDK's client needs of the world, on the simulated network: Node's own HTTP client and
// ws over simulated sockets, the virtual clock, chance from the seed.

import { request as httpRequest } from 'node:http';
import type { ClientPlatform, ClientSocket, SocketEvents } from '@sluice/sdk';
import { type ErrorCode, PlatformError } from '@sluice/sdk/wire';
import { WebSocket } from 'ws';
import type { Network } from './network.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Stage } from './stage.ts';

const refusals: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'bad_request'],
  [401, 'unauthorized'],
  [404, 'not_found'],
  [409, 'conflict'],
  [410, 'ended'],
  [500, 'internal'],
]);

/** Where the service is. */
export const address = 'http://sluice.simulated';

export function clientPlatform(options: {
  readonly stage: Stage;
  readonly network: Network;
  readonly random: SeededRandom;
  readonly who: string;
}): ClientPlatform {
  const { stage, random } = options;
  return {
    clock: stage.clock,
    random: { fraction: () => random.fraction(), id: () => random.id() },
    socketHeaders: true,
    fetch: (input, init) => simulatedFetch(options, new URL(String(input)), init ?? {}),
    openSocket: (url, headers, events, signal) =>
      openSocket(options, { url, headers, events, signal }),
  };
}

type Reach = { readonly network: Network; readonly who: string };

/** As fetch tells that nobody listens. */
function refused(): TypeError {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  return new TypeError('fetch failed', { cause });
}

/** One request on a connection of its own. Answers as much of a Response as the client uses. */
function simulatedFetch({ network, who }: Reach, url: URL, init: RequestInit): Promise<Response> {
  const socket = network.connect(who);
  if (socket === undefined) return Promise.reject(refused());
  const { method = 'GET', signal } = init;
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => {
      socket.destroy();
      reject(signal?.aborted ? signal.reason : new TypeError('fetch failed', { cause }));
    };
    const asked = httpRequest(url, {
      method,
      // What the client sends is a plain object.
      headers: init.headers as Record<string, string>,
      createConnection: () => socket,
    });
    asked.on('error', failed);
    asked.on('response', (response) => {
      const chunks: Uint8Array[] = [];
      response.on('data', (chunk: Uint8Array) => chunks.push(chunk));
      response.on('error', failed);
      response.on('aborted', () => failed(new Error('the answer was cut')));
      response.on('end', () => {
        if (!response.complete) return failed(new Error('the answer was cut'));
        const status = response.statusCode ?? 0;
        const headers = new Headers();
        for (const [name, value] of Object.entries(response.headers)) headers.set(name, `${value}`);
        const arrayBuffer = async (): Promise<Uint8Array> => Buffer.concat(chunks);
        const ok = status >= 200 && status < 300;
        // All of a Response that the client looks at.
        resolve({ status, ok, headers, arrayBuffer } as unknown as Response);
      });
    });
    if (signal?.aborted) return failed(signal.reason);
    signal?.addEventListener('abort', () => failed(signal.reason), { once: true });
    // What the client sends is bytes.
    asked.end(init.body as Uint8Array | undefined);
  });
}

function openSocket(
  { network, who }: Reach,
  options: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly events: SocketEvents;
    readonly signal: AbortSignal | undefined;
  },
): Promise<ClientSocket> {
  const { url, headers, events, signal } = options;
  const end = network.connect(who);
  if (end === undefined) return Promise.reject(new PlatformError('unavailable', 'refused'));
  const socket = new WebSocket(url, {
    headers,
    perMessageDeflate: false,
    // The declared type is a socket's; a Duplex is all that is used.
    createConnection: () => end as never,
  });
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const abort = (): void => socket.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    socket.on('open', () => {
      isOpen = true;
      signal?.removeEventListener('abort', abort);
      resolve({
        send: (bytes) => socket.send(bytes, { binary: true }),
        close: (code, reason) => {
          socket.close(code, reason);
          // Without this ws would wait for the other side by the clock on the wall.
          socket.once('close', () => end.destroy());
        },
        terminate: () => socket.terminate(),
        pause: () => socket.pause(),
        resume: () => socket.resume(),
      });
    });
    socket.on('message', (data: Uint8Array) => events.message(data));
    socket.on('unexpected-response', (request, response) => {
      const status = response.statusCode ?? 0;
      request.destroy();
      const text = `the handshake was answered with status ${status}`;
      reject(new PlatformError(refusals.get(status) ?? 'unavailable', text));
    });
    socket.on('error', (cause) => {
      if (!isOpen) reject(new PlatformError('unavailable', 'no connection', { cause }));
    });
    socket.on('close', (code, reason) => {
      signal?.removeEventListener('abort', abort);
      if (isOpen) events.closed(code, reason.toString());
      else reject(signal?.reason ?? new PlatformError('unavailable', 'no connection'));
    });
  });
}
