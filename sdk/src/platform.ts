// The client's seams to the world, and their defaults: time, chance, sockets and fetch. The only
// file of the SDK that touches them, and the only one that knows of `ws`, which is loaded in Node
// alone, when the first socket is opened.

import { type ErrorCode, errorKinds, PlatformError } from './errors.ts';

export interface ClientTimer {
  cancel(): void;
}

export interface ClientClock {
  /** `mono` never goes back; both in milliseconds. */
  now(): { readonly wall: number; readonly mono: number };
  after(delayMs: number, fire: () => void): ClientTimer;
  /** Runs when the current turn of the event loop is over. */
  defer(run: () => void): void;
}

export interface ClientRandom {
  /** At least 0, below 1. */
  fraction(): number;
  /** A new random UUID. */
  id(): string;
}

export interface SocketEvents {
  message(bytes: Uint8Array): void;
  /** Called once after the socket was open, whoever closed it. */
  closed(code: number, reason: string): void;
}

/** A WebSocket of binary messages that is open. */
export interface ClientSocket {
  send(bytes: Uint8Array): void;
  close(code: number, reason: string): void;
  /** Drops the connection without a word. */
  terminate(): void;
  /** Stops and starts taking in messages, where the platform can. */
  pause(): void;
  resume(): void;
}

export interface ClientPlatform {
  readonly clock: ClientClock;
  readonly random: ClientRandom;
  readonly fetch: typeof globalThis.fetch;
  /** Whether `openSocket` can send headers; in browsers it cannot. */
  readonly socketHeaders: boolean;
  /** Rejects with a PlatformError when there is no connection or the handshake is refused. */
  openSocket(
    url: string,
    headers: Readonly<Record<string, string>>,
    events: SocketEvents,
    signal: AbortSignal | undefined,
  ): Promise<ClientSocket>;
}

const handshakeMs = 10_000;
// One WebSocket message of the EAS watch holds at most 32 MiB of payload and tags.
const messageBytesMax = 33 * 2 ** 20;

// Node has it, browsers do not; the types say that it is always there.
const setImmediateOfNode: ((run: () => void) => unknown) | undefined = globalThis.setImmediate;
const isNode: boolean = typeof globalThis.process?.versions?.node === 'string';

export const defaultClock: ClientClock = {
  now: () => ({ wall: Date.now(), mono: performance.now() }),
  after(delayMs, fire) {
    const handle = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  defer(run) {
    if (setImmediateOfNode === undefined) queueMicrotask(run);
    else setImmediateOfNode(run);
  },
};

export const defaultRandom: ClientRandom = {
  fraction: () => Math.random(),
  id: idMaker(),
};

export const defaultPlatform: ClientPlatform = {
  clock: defaultClock,
  random: defaultRandom,
  fetch: (...input) => globalThis.fetch(...input),
  socketHeaders: isNode,
  openSocket: isNode ? openNodeSocket : openBrowserSocket,
};

/** The code that stands for an HTTP status; the one of the family when there is no exact one. */
export function codeOfStatus(status: number): ErrorCode {
  if (status === 409) return 'conflict';
  if (status === 503) return 'unavailable';
  for (const [code, kind] of Object.entries(errorKinds)) {
    // The keys of the table are the codes.
    if (kind.status === status) return code as ErrorCode;
  }
  if (status === 502) return 'unavailable';
  return status >= 500 ? 'internal' : 'bad_request';
}

/** Random UUIDs of version 4. Every put takes one, so all are written into the same bytes, and
 * chance is asked for many at a time. `crypto.randomUUID` needs ten times the memory, and pages
 * that are not served over TLS or from localhost do not have it. */
function idMaker(): () => string {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const digits = encoder.encode('0123456789abcdef');
  const text = encoder.encode('00000000-0000-4000-8000-000000000000');
  const variantAt = 19;
  const places = [...text.keys()].filter((at) => text[at] === digits[0]);
  const chance = new Uint8Array(128 * (places.length + 1));
  let used = chance.length;
  // Both indexes are in bounds: four bits of one place in a list that has just been filled.
  const digit = (least: number, bits: number): number =>
    digits[least | ((chance[used++] as number) & bits)] as number;
  return () => {
    if (used === chance.length) {
      crypto.getRandomValues(chance);
      used = 0;
    }
    for (const at of places) text[at] = digit(0, 15);
    text[variantAt] = digit(8, 3);
    return decoder.decode(text);
  };
}

/** Whether nobody between client and server sees the bytes: encrypted, or within one machine. The
 * mask of the WebSocket protocol is there for those alone (RFC 6455, section 10.3), and both ends
 * go through every byte for it, a sixth of a client's time. Elsewhere it stays random. */
export function isUnseen(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'wss:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

/** A mask that changes nothing; `ws` then leaves the bytes as they are. */
function noMask(mask: Uint8Array): void {
  mask.fill(0);
}

async function openNodeSocket(
  url: string,
  headers: Readonly<Record<string, string>>,
  events: SocketEvents,
  signal: AbortSignal | undefined,
): Promise<ClientSocket> {
  // A name in a variable: bundlers for browsers leave such an import alone.
  const name = 'ws';
  const { WebSocket: NodeSocket }: typeof import('ws') = await import(/* @vite-ignore */ name);
  const socket = new NodeSocket(url, {
    headers,
    perMessageDeflate: false,
    handshakeTimeout: handshakeMs,
    maxPayload: messageBytesMax,
    skipUTF8Validation: true,
    ...(isUnseen(url) ? { generateMask: noMask } : {}),
  });
  return new Promise((resolve, reject) => {
    let opened = false;
    const abort = (): void => socket.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    socket.on('open', () => {
      opened = true;
      signal?.removeEventListener('abort', abort);
      resolve({
        send: (bytes) => socket.send(bytes, { binary: true }),
        close: (code, reason) => socket.close(code, reason),
        terminate: () => socket.terminate(),
        pause: () => socket.pause(),
        resume: () => socket.resume(),
      });
    });
    socket.on('message', (data: Uint8Array) => events.message(data));
    socket.on('unexpected-response', (request, response) => {
      const status = response.statusCode ?? 0;
      let text = '';
      response.on('data', (chunk: Uint8Array) => {
        if (text.length < 2000) text += String(chunk);
      });
      response.on('close', () => {
        request.destroy();
        const message = text.trim() || `The handshake was answered with status ${status}.`;
        reject(new PlatformError(codeOfStatus(status), message));
      });
    });
    socket.on('error', (cause) => {
      if (!opened)
        reject(
          new PlatformError('unavailable', `No connection to ${url}: ${cause.message}`, { cause }),
        );
    });
    socket.on('close', (code, reason) => {
      signal?.removeEventListener('abort', abort);
      if (opened) events.closed(code, reason.toString());
      else reject(signal?.reason ?? new PlatformError('unavailable', `No connection to ${url}.`));
    });
  });
}

function openBrowserSocket(
  url: string,
  _headers: Readonly<Record<string, string>>,
  events: SocketEvents,
  signal: AbortSignal | undefined,
): Promise<ClientSocket> {
  const socket = new globalThis.WebSocket(url);
  socket.binaryType = 'arraybuffer';
  return new Promise((resolve, reject) => {
    let opened = false;
    const abort = (): void => socket.close();
    signal?.addEventListener('abort', abort, { once: true });
    socket.onopen = () => {
      opened = true;
      signal?.removeEventListener('abort', abort);
      resolve({
        // The types of the DOM leave shared memory out; payloads are never shared.
        send: (bytes) => socket.send(bytes as Uint8Array<ArrayBuffer>),
        close: (code, reason) => socket.close(code, reason),
        terminate: () => socket.close(),
        pause: () => undefined,
        resume: () => undefined,
      });
    };
    socket.onmessage = (event) => {
      const data: unknown = event.data;
      if (data instanceof ArrayBuffer) events.message(new Uint8Array(data));
    };
    socket.onclose = (event) => {
      signal?.removeEventListener('abort', abort);
      if (opened) events.closed(event.code, event.reason);
      else reject(signal?.reason ?? new PlatformError('unavailable', `No connection to ${url}.`));
    };
  });
}
