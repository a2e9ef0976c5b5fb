// HTTP/1.1 as cheaply as possible: prepared bytes over keep-alive sockets, one request at a time
// on each, answers recognised by their Content-Length. A client library would use more processor
// time than the server that is measured.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Answer, Job } from './jobs.ts';
import { Stopwatch } from './stopwatch.ts';

type Post = Extract<Job, { kind: 'post' }>;

/** Every connection is in use this long before anything is counted. */
const warmMs = 300;

/** Posts for a while; fails when an answer is neither 200 nor 202. */
export async function post(job: Post): Promise<Answer> {
  const bytes = requestOf(job);
  const { hostname, port } = new URL(job.target.url);
  const sockets = await Promise.all(
    Array.from({ length: job.connections }, async () => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      await once(socket, 'connect');
      return socket;
    }),
  );
  const watch = new Stopwatch();
  try {
    return await new Promise((resolve, reject) => {
      for (const socket of sockets) {
        run(socket, bytes, { answered: (ms) => watch.record(ms), failed: reject });
      }
      setTimeout(() => {
        watch.start();
        setTimeout(() => resolve(watch.answer()), job.seconds * 1000);
      }, warmMs);
    });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function requestOf({ target, path }: Post): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${new URL(target.url).host}`,
    `Authorization: ${target.token}`,
    'Content-Type: application/octet-stream',
    `Content-Length: ${target.payloadBytes}`,
  ];
  return Buffer.concat([
    Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'),
    Buffer.alloc(target.payloadBytes, 'x'),
  ]);
}

function run(
  socket: Socket,
  request: Buffer,
  events: { answered(ms: number): void; failed(error: Error): void },
): void {
  let sentAt = 0;
  let seen = '';
  const send = (): void => {
    sentAt = performance.now();
    socket.write(request);
  };
  socket.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1');
    const head = seen.indexOf('\r\n\r\n');
    if (head === -1) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(seen)?.[1];
    if (!/^HTTP\/1\.1 20[02] /.test(seen) || length === undefined) {
      events.failed(new Error(`the server answered: ${seen.slice(0, 500)}`));
      return;
    }
    if (seen.length < head + 4 + Number(length)) return;
    seen = '';
    events.answered(performance.now() - sentAt);
    send();
  });
  socket.on('error', (error) => events.failed(error));
  socket.on('close', () => events.failed(new Error('the server closed a connection')));
  send();
}
