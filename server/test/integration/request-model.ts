// A model server for tests of requests: what it does stands in the request. It answers with what it
// was sent, unless told to be slow, to stream, to refuse or to break.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RequestModel {
  readonly url: string;
  /** The bodies of the calls, in the order in which they came. */
  readonly calls: string[];
  /** Lets those go on that wait: `wait`, and the second half of `stream`. */
  release(): void;
  /** Whether those wait at all. */
  holds: boolean;
  /** From now on it answers with 502. */
  isBroken: boolean;
  close(): Promise<void>;
}

/**
 * `wait...` and `slow...` wait for `release`; `stream...` sends the text word by word, the second
 * half after `release`; `status NNN` answers with that status; all else comes back as it was.
 */
export async function openRequestModel(): Promise<RequestModel> {
  const calls: string[] = [];
  const waiting = new Set<() => void>();
  const released = (response: ServerResponse): Promise<void> =>
    new Promise((resolve) => {
      if (!model.holds) return resolve();
      const go = (): void => {
        waiting.delete(go);
        resolve();
      };
      waiting.add(go);
      response.once('close', go);
    });
  const server = createServer((request, response) => {
    void answer(request, response);
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET') return void response.end('ready');
    let body = '';
    for await (const piece of request) body += String(piece);
    calls.push(body);
    const type = request.headers['content-type'] ?? 'text/plain';
    const status = /^status (\d{3})/.exec(body)?.[1];
    if (model.isBroken) return void response.writeHead(502).end('broken');
    if (status !== undefined) return void response.writeHead(Number(status)).end(`said ${status}`);
    if (body.startsWith('stream')) return stream(body, response);
    if (/^(wait|slow)/.test(body)) await released(response);
    response.writeHead(200, { 'Content-Type': type }).end(body);
  };
  const stream = async (body: string, response: ServerResponse): Promise<void> => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const words = body.split(' ');
    for (const [at, word] of words.entries()) {
      if (at === Math.ceil(words.length / 2)) await released(response);
      response.write(`data: ${word}\n\n`);
    }
    response.end();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // What listens is an address with a port.
  const { port } = server.address() as AddressInfo;
  const model: RequestModel = {
    url: `http://127.0.0.1:${port}`,
    calls,
    holds: true,
    isBroken: false,
    release() {
      for (const go of [...waiting]) go();
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return model;
}
