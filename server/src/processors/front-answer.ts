// Answers on their way out: whole, or piece by piece at the pace of whoever reads.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Answer } from './processor.ts';

export interface SendOptions {
  /** Only the head is asked for. */
  readonly isHead: boolean;
  /** Aborted: nobody reads any more. */
  readonly signal: AbortSignal;
}

/** Resolves when the answer is out or nobody reads it; rejects when its stream fails. */
export async function sendAnswer(
  response: ServerResponse,
  { status, contentType, headers, body, stream }: Answer,
  { isHead, signal }: SendOptions,
): Promise<void> {
  const head = { 'Content-Type': contentType, ...headers };
  if (stream === undefined) {
    const length = status === 204 ? {} : { 'Content-Length': body.length };
    response.writeHead(status, { ...head, ...length });
    response.end(isHead ? undefined : body);
    return;
  }
  let hasBegun = false;
  for await (const piece of until(stream, signal)) {
    // The head waits for the first piece: what fails before it still gets a status.
    if (!hasBegun) response.writeHead(status, head);
    hasBegun = true;
    if (piece.length === 0 || isHead || response.write(piece)) continue;
    await once(response, 'drain', { signal }).catch(() => undefined);
  }
  if (signal.aborted) {
    response.destroy();
    return;
  }
  if (!hasBegun) response.writeHead(status, head);
  response.end();
}

/** The pieces of a stream until it ends or nobody reads: its next piece is not waited for then. */
async function* until(
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const pieces = stream[Symbol.asyncIterator]();
  const left = new Promise<'left'>((resolve) => {
    if (signal.aborted) resolve('left');
    signal.addEventListener('abort', () => resolve('left'), { once: true });
  });
  for (;;) {
    const next = pieces.next();
    const piece = await Promise.race([next, left]);
    if (piece === 'left') {
      // It ends when its model lets it; what it still throws nobody wants to know.
      next.catch(() => undefined);
      Promise.resolve(pieces.return?.()).catch(() => undefined);
      return;
    }
    if (piece.done === true) return;
    yield piece.value;
  }
}
