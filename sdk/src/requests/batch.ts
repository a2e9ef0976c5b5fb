// Many requests in few calls: lines of JSON in batches of a bounded size. Every line has an
// idempotency key, so that a batch whose answer was cut is sent again without doubling anything.

import { textOf } from '../admin-transport.ts';
import { PlatformError } from '../errors.ts';
import type { BatchOutcome } from './request-info.ts';
import type { RequestCall, RequestTransport } from './request-transport.ts';
import { type BatchItem, batchLine } from './submission.ts';

// One call takes seconds at most, and what it holds in memory is little.
const linesMax = 1_000;
const charactersMax = 4 * 2 ** 20;
const attemptsMax = 5;

/** The outcomes in the order of the items. */
export async function* submitBatch(
  transport: RequestTransport,
  items: Iterable<BatchItem> | AsyncIterable<BatchItem>,
  signal: AbortSignal | undefined,
): AsyncGenerator<BatchOutcome> {
  let before = 0;
  let lines: string[] = [];
  let characters = 0;
  for await (const item of items) {
    const line = JSON.stringify(batchLine(item, transport.random.id()));
    const isFull = lines.length === linesMax || characters + line.length > charactersMax;
    if (isFull && lines.length > 0) {
      yield* sendLines(transport, lines, before, signal);
      before += lines.length;
      lines = [];
      characters = 0;
    }
    lines.push(line);
    characters += line.length;
  }
  if (lines.length > 0) yield* sendLines(transport, lines, before, signal);
}

/** Sends what has no outcome yet until everything has one. */
async function* sendLines(
  transport: RequestTransport,
  lines: readonly string[],
  before: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<BatchOutcome> {
  let done = 0;
  for (let attempt = 1; ; attempt += 1) {
    const left = lines.slice(done);
    const response = await transport.call(batchCall(left, signal));
    try {
      for await (const outcome of valuesOf<BatchOutcome>(transport, response, signal)) {
        done += 1;
        yield { ...outcome, line: before + done };
      }
    } catch (error) {
      const isCut = error instanceof PlatformError && error.retry;
      if (!isCut || attempt === attemptsMax) throw error;
    }
    if (done === lines.length) return;
    if (attempt === attemptsMax) throw cutAnswer();
    await transport.pause(attempt, 0, signal);
  }
}

function batchCall(lines: readonly string[], signal: AbortSignal | undefined): RequestCall {
  return {
    method: 'POST',
    path: '/batches',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: lines.map((line) => `${line}\n`).join(''),
    repeat: 'always',
    signal,
  };
}

/** Longest silence within an answer. */
const idleMs = 60_000;

/** The values of an answer of one JSON value a line; `unavailable` when it is cut. */
export async function* valuesOf<T>(
  transport: RequestTransport,
  response: Response,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  const idle = transport.idle(idleMs, signal);
  let rest = '';
  try {
    for await (const piece of textOf(response, idle.signal)) {
      idle.renew();
      const lines = `${rest}${piece}`.split('\n');
      rest = lines.pop() ?? '';
      // As for `RequestTransport.json`; an empty line only keeps the connection alive.
      for (const line of lines) if (line !== '') yield JSON.parse(line) as T;
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    signal?.throwIfAborted();
    throw cutAnswer(error);
  } finally {
    idle.stop();
  }
  if (rest !== '') throw cutAnswer();
}

function cutAnswer(cause?: unknown): PlatformError {
  return new PlatformError('unavailable', 'The answer of the server was cut.', { cause });
}
