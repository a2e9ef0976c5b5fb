// A model server as most are: it works on so many calls at a time, others wait in its line, and
// what has begun is worked on to its end, whether or not anybody waits for it. The work is waiting.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Model {
  readonly url: string;
  /** Slot time spent since the last look: on all calls, and on those whose caller had gone. */
  spent(): { readonly totalMs: number; readonly wastedMs: number };
  /** Resolves when so many calls have come. */
  received(count: number): Promise<void>;
  /** Resolves when it works on nothing and nobody waits. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  readonly response: ServerResponse;
  readonly workMs: number;
}

/** `skipsGone`: it looks whether the caller is still there before it begins with a call. */
export async function startModel(slots: number, skipsGone: boolean): Promise<Model> {
  const line: Waiting[] = [];
  const idlers: (() => void)[] = [];
  const arrivals = new Map<number, () => void>();
  let received = 0;
  let running = 0;
  let totalMs = 0;
  let wastedMs = 0;

  const next = (): void => {
    while (running < slots) {
      const one = line.shift();
      if (one === undefined) break;
      if (!(skipsGone && one.response.destroyed)) work(one);
    }
    if (running === 0) for (const idle of idlers.splice(0)) idle();
  };
  const work = ({ response, workMs }: Waiting): void => {
    running += 1;
    const startedAt = performance.now();
    setTimeout(() => {
      running -= 1;
      const spentMs = performance.now() - startedAt;
      totalMs += spentMs;
      if (response.destroyed) wastedMs += spentMs;
      else response.end('done');
      next();
    }, workMs);
  };
  const server = createServer((request, response) => {
    read(request).then(
      (body) => {
        line.push({ response, workMs: Number(body) });
        next();
        received += 1;
        arrivals.get(received)?.();
      },
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spent() {
      const spent = { totalMs, wastedMs };
      totalMs = 0;
      wastedMs = 0;
      return spent;
    },
    received: (count) =>
      received >= count
        ? Promise.resolve()
        : new Promise((resolve) => arrivals.set(count, resolve)),
    idle: () =>
      running === 0 && line.length === 0
        ? Promise.resolve()
        : new Promise((resolve) => idlers.push(resolve)),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}
