// Answers of one JSON value a line on a real socket and a virtual clock: what keeps a quiet one
// alive, and how it ends.

import { createServer, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { answerLines } from '../../src/http/api/line-stream.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

const clock = new VirtualClock(new SeededRandom(1));
let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

type Values = (signal: AbortSignal) => AsyncIterable<unknown>;

/** Asks a server that answers with these values. */
async function ask(values: Values, closing: AbortSignal): Promise<ReadableStreamDefaultReader> {
  const listening = createServer((_request, response) => {
    const open = async (signal: AbortSignal): Promise<AsyncIterable<unknown>> => values(signal);
    void answerLines({ clock, closing, response, open });
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', () => resolve()));
  const address = listening.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { body } = await fetch(`http://127.0.0.1:${port}`);
  if (body === null) throw new Error('no body');
  return body.getReader();
}

async function text(reader: ReadableStreamDefaultReader): Promise<string> {
  const { done, value } = await reader.read();
  return done ? 'the end' : Buffer.from(value).toString();
}

/** One value, then nothing until the signal. */
async function* quiet(signal: AbortSignal): AsyncGenerator<unknown> {
  yield { a: 1 };
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  yield { last: true };
}

test('an empty line every 15 s keeps a quiet answer alive', async () => {
  const closing = new AbortController();
  const reader = await ask(quiet, closing.signal);
  expect(await text(reader)).toBe('{"a":1}\n');
  for (let at = 0; at < 3; at += 1) {
    await clock.advance(15_000);
    expect(await text(reader)).toBe('\n');
  }
  closing.abort();
  expect(await text(reader)).toBe('{"last":true}\n');
  expect(await text(reader)).toBe('the end');
});

test('an answer that cannot be read on is cut, not ended', async () => {
  async function* broken(): AsyncGenerator<unknown> {
    yield 1;
    throw new Error('the disk is gone');
  }
  const reader = await ask(broken, new AbortController().signal);
  await expect(async () => {
    while ((await text(reader)) !== 'the end');
  }).rejects.toThrow();
});
