// The result of a request: what the model answered, read as it comes or whole. Reading it whole
// goes on over a cut connection, by asking for it again.

import { PlatformError } from '../errors.ts';
import type { RequestTransport } from './request-transport.ts';

/** What the model answered. Read it once, by one of the last four; or `discard` it. */
export interface RequestResult {
  /** The id of the request. */
  readonly id: string;
  /** Whether the model answered with a status of success. */
  readonly ok: boolean;
  /** The status that the model answered with. */
  readonly modelStatus: number;
  readonly contentType: string | undefined;
  /** In bytes; undefined where the server does not say. */
  readonly size: number | undefined;
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
  /** The value of an answer in JSON; `bad_request` when it is none. */
  json<T>(): Promise<T>;
  /** The bytes as they come; `unavailable` when the connection is cut. */
  stream(): AsyncGenerator<Uint8Array>;
  /** Lets the connection go when nobody wants to read. */
  discard(): Promise<void>;
}

/** What it takes to read a result. */
export interface ResultSource {
  readonly id: string;
  readonly response: Response;
  readonly transport: RequestTransport;
  /** Asks for the same result once more. */
  again(): Promise<Response>;
  readonly signal: AbortSignal | undefined;
}

// Whoever reads gets something, or the connection is taken for dead, at least every minute.
const idleMs = 60_000;
const attemptsMax = 4;

/** A result that was answered with 200 or 204. */
export function resultOf(source: ResultSource): RequestResult {
  const { id, response } = source;
  const status = Number(response.headers.get('sluice-model-status') ?? '200');
  const length = response.headers.get('content-length');
  const whole = (): Promise<Uint8Array> => wholeOf(source);
  return {
    id,
    ok: status >= 200 && status < 300,
    modelStatus: status,
    contentType: response.headers.get('content-type') ?? undefined,
    size: response.status === 204 ? 0 : length === null ? undefined : Number(length),
    bytes: whole,
    text: async () => new TextDecoder().decode(await whole()),
    async json<T>(): Promise<T> {
      const text = new TextDecoder().decode(await whole());
      try {
        return JSON.parse(text) as T;
      } catch (cause) {
        throw new PlatformError('bad_request', `The result of ${id} is no JSON.`, { cause });
      }
    },
    stream: () => piecesOf(source, response),
    discard: async () => response.body?.cancel(),
  };
}

async function wholeOf(source: ResultSource): Promise<Uint8Array> {
  const { transport, signal } = source;
  let { response } = source;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await joined(piecesOf(source, response));
    } catch (error) {
      const isCut = error instanceof PlatformError && error.retry;
      if (!isCut || attempt === attemptsMax || signal?.aborted === true) throw error;
      await transport.pause(attempt, 0, signal);
      response = await source.again();
    }
  }
}

/** The bytes as they come. Rejects with the signal's reason; `unavailable` when they are cut. */
async function* piecesOf(
  { transport, signal, id }: ResultSource,
  response: Response,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const idle = transport.idle(idleMs, signal);
  // In Node 20 an answer forgets the signal of its call once memory was collected.
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  idle.signal.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      idle.signal.throwIfAborted();
      if (done) return;
      idle.renew();
      yield value;
    }
  } catch (error) {
    const why = idle.explain(error, 'GET');
    if (!(why instanceof PlatformError)) throw why;
    const message = `The result of ${id} was cut off: ${why.message}`;
    throw new PlatformError('unavailable', message, { cause: error });
  } finally {
    idle.stop();
    idle.signal.removeEventListener('abort', cancel);
    await reader.cancel().catch(() => undefined);
  }
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    parts.push(piece);
    size += piece.byteLength;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
