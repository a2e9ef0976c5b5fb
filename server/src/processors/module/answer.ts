// What `predict` returned as an answer: text as text, bytes as bytes, nothing as nothing, what can
// be iterated over piece by piece, a Response as it is, and all else as JSON.

import { jsonAnswer, textAnswer } from '../content.ts';
import { isObject, thrown } from '../exchange.ts';
import type { Answer } from '../processor.ts';

const bytesType = 'application/octet-stream';
const textType = 'text/plain; charset=utf-8';
const linesType = 'application/x-ndjson';

/** Waits for what was returned. Of a stream also for its first piece, which says its type. */
export async function answerOf(returned: unknown): Promise<Answer> {
  const value = await returned;
  if (value === undefined) return bytes(new Uint8Array(0), bytesType, 204);
  if (typeof value === 'string') return textAnswer(value, textType);
  if (value instanceof Uint8Array) return bytes(value, bytesType, 200);
  if (value instanceof ArrayBuffer) return bytes(new Uint8Array(value), bytesType, 200);
  if (value instanceof Response) return responseAnswer(value);
  const pieces = iteratorOf(value);
  return pieces === undefined ? jsonAnswer(value) : streamAnswer(pieces);
}

type Pieces = AsyncIterator<unknown> | Iterator<unknown>;

/** Generators and streams. Arrays, maps and sets can be iterated over too, and are values. */
function iteratorOf(value: unknown): Pieces | undefined {
  if (!isObject(value)) return undefined;
  if (Symbol.asyncIterator in value) {
    // The symbol stands for just this function.
    return (value as unknown as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  }
  if (!(Symbol.iterator in value) || typeof value.next !== 'function') return undefined;
  return (value as unknown as Iterable<unknown>)[Symbol.iterator]();
}

async function streamAnswer(pieces: Pieces): Promise<Answer> {
  const first = await pieces.next();
  const value: unknown = first.done === true ? '' : first.value;
  const isText = typeof value === 'string';
  const contentType = isText ? textType : value instanceof Uint8Array ? bytesType : linesType;
  return { status: 200, contentType, stream: encoded(pieces, first) };
}

async function* encoded(
  pieces: Pieces,
  first: IteratorResult<unknown, unknown>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await pieces.next()) {
      yield encode(next.value);
    }
  } catch (error) {
    throw thrown(error);
  } finally {
    await pieces.return?.();
  }
}

/** Objects are lines of JSON. */
function encode(piece: unknown): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece);
  if (piece instanceof Uint8Array) return piece;
  return Buffer.from(`${JSON.stringify(piece) ?? 'null'}\n`);
}

/** What the front says itself. */
const own: ReadonlySet<string> = new Set(['content-type', 'content-length', 'transfer-encoding']);

async function responseAnswer(response: Response): Promise<Answer> {
  const { status, body } = response;
  const contentType = response.headers.get('content-type') ?? bytesType;
  const others = [...response.headers].filter(([name]) => !own.has(name));
  const headers = Object.fromEntries(others);
  if (body === null) return { ...bytes(new Uint8Array(0), contentType, status), headers };
  return { status, contentType, headers, stream: body };
}

function bytes(body: Uint8Array, contentType: string, status: number): Answer {
  return { status, contentType, body };
}
