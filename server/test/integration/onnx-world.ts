// ONNX models loaded as the processor loads them, and calls to them as the front makes them.

import { readFileSync } from 'node:fs';
import { afterAll } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { load } from '../../src/processors/onnx/load.ts';
import type { Batching, Call, Processor } from '../../src/processors/processor.ts';

/** Of one thread: tests run side by side. */
const threads = 1;

const open = new Map<string, Promise<Processor>>();

afterAll(async () => {
  for (const loading of open.values())
    await loading.then(
      (each) => each.close(),
      () => undefined,
    );
});

/** The same one for the same arguments, closed after the file's last test. */
export function loaded(
  model: string,
  config: Readonly<Record<string, unknown>> = {},
  { batching, entry }: { batching?: Batching; entry?: string } = {},
): Promise<Processor> {
  const key = JSON.stringify([model, config, batching, entry]);
  const known = open.get(key);
  if (known !== undefined) return known;
  const loading = load({
    model,
    entry,
    code: undefined,
    config: { threads, ...config },
    batching,
    window: 4,
    clock: systemClock,
    log: silentLog,
  });
  open.set(key, loading);
  return loading;
}

export interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Got {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  readonly json: unknown;
}

/** Objects and arrays go as JSON, texts and bytes as they are. */
export async function send(
  processor: Processor,
  body: unknown,
  { path = '/', method = 'POST', type = 'application/json', headers = {}, signal }: Sent = {},
): Promise<Got> {
  const url = new URL(path, 'http://model');
  const call: Call = {
    method,
    path: url.pathname,
    query: url.searchParams,
    headers: { 'content-type': type, ...headers },
    body: bytesOf(body),
    signal: signal ?? new AbortController().signal,
  };
  const answer = await processor.answer(call);
  if (answer.body === undefined) throw new Error('a stream came');
  const isJson = answer.contentType === 'application/json';
  return {
    status: answer.status,
    type: answer.contentType,
    headers: answer.headers ?? {},
    bytes: answer.body,
    json: isJson ? JSON.parse(Buffer.from(answer.body).toString()) : undefined,
  };
}

/** The JSON of the answer. */
export async function ask(processor: Processor, body: unknown, sent?: Sent): Promise<unknown> {
  return (await send(processor, body, sent)).json;
}

export const fileBytes = (path: string): Uint8Array => readFileSync(path);

function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
