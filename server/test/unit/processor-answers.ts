// What a processor answered or threw, for tests of its kinds.

import type { Answer } from '../../src/processors/processor.ts';

/** The whole body of an answer, streamed or not. */
export async function textOf({ body, stream }: Answer): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream ?? []) pieces.push(piece);
  return Buffer.concat(body === undefined ? pieces : [body]).toString();
}

/** What the work rejects with; undefined: it went well. */
export const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
