// A request over HTTP as the call that processors take: its path and headers made plain, its body
// read whole within the limit.

import type { IncomingMessage } from 'node:http';
import { type Call, InputError } from './processor.ts';

/** Reads a call. Throws InputError: 400 for a path that is none, 413, 415. */
export async function readCall(
  request: IncomingMessage,
  { signal, bodyBytesMax }: { readonly signal: AbortSignal; readonly bodyBytesMax: number },
): Promise<Call> {
  const { method = 'GET', url = '/' } = request;
  const mark = url.indexOf('?');
  const path = decoded(mark < 0 ? url : url.slice(0, mark));
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  const headers = flat(request);
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new InputError(`bodies in ${encoding} are not read; send them as they are`, {
      status: 415,
    });
  }
  const body = await readBody(request, bodyBytesMax);
  return { method, path, query, headers, body, signal };
}

async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const whole: Buffer[] = [];
  let size = 0;
  // A loop that is left would destroy the connection, and with it the answer. Pieces are buffers,
  // as no encoding has been set.
  const pieces: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const piece of pieces) {
    size += piece.length;
    if (size > bytesMax) throw tooLarge(bytesMax);
    whole.push(piece);
  }
  const [only] = whole;
  return whole.length === 1 && only !== undefined ? only : Buffer.concat(whole, size);
}

// The rest of the body is not read: the connection ends with the answer.
function tooLarge(bytesMax: number): InputError {
  const message = `the body is larger than ${bytesMax} bytes (--body-limit)`;
  return new InputError(message, { status: 413, headers: { Connection: 'close' } });
}

function flat({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([name, value = '']): [string, string] => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ]);
  return Object.fromEntries(entries);
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new InputError(`the path ${path} is not encoded as a path`, { cause });
  }
}
