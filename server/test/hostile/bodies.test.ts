// Many large bodies at once, and senders that drip or leave in the middle: the memory of the
// server stays what it was, what is whole is kept, and of all the rest nothing is left.

import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Victim } from './victim.ts';
import { tokenOf } from './world.ts';

const mebibyte = 2 ** 20;
const senders = 20;
const bodyBytes = 12 * mebibyte;
/** Measured: 35 to 41 MB, with bodies of 12 and of 100 MiB alike. */
const growthMax = 120 * mebibyte;

let victim: Victim;
afterEach(() => victim.stop());

const path = '/v1/services/one/requests';
const authorization = tokenOf('one');

/** Sends a body as fast as it is taken; answers the status. */
async function upload(port: number, bytes: number): Promise<number> {
  const headers = { authorization, 'content-length': String(bytes) };
  const call = request({ port, path, method: 'POST', headers, agent: false });
  const answered = once(call, 'response');
  const piece = Buffer.alloc(256 * 1024, 'x');
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!call.write(piece)) await once(call, 'drain');
  }
  call.end();
  const [response] = await answered;
  response.resume();
  return response.statusCode;
}

/** However it comes about. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

it('takes many large bodies at once with the memory of few', { timeout: 300_000 }, async () => {
  victim = await Victim.start();
  expect(await upload(victim.port, mebibyte)).toBe(202);
  const before = (await victim.measure()).residentBytes;
  victim.peakBytes();
  const statuses = await Promise.all(
    Array.from({ length: senders }, () => upload(victim.port, bodyBytes)),
  );
  const most = victim.peakBytes();
  expect(statuses).toEqual(statuses.map(() => 202));
  expect(most - before).toBeLessThan(growthMax);
  expect(victim.errors).toBe('');
});

it('keeps nothing of bodies that are cut or drip', async () => {
  victim = await Victim.start({ limits: ['http.stallMs=500'] });
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${authorization}\r\n`;
  const cut = await victim.peer();
  cut.socket.write(`${head}Content-Length: ${8 * mebibyte}\r\n\r\n`);
  cut.socket.on('error', () => undefined);
  cut.socket.write(Buffer.alloc(3 * mebibyte), () => cut.socket.destroy());
  const slow = await victim.peer();
  slow.socket.write(`${head}Content-Length: ${8 * mebibyte}\r\n\r\nx`);
  const drip = setInterval(() => slow.socket.write('x'), 50);
  await closed(slow.socket);
  clearInterval(drip);
  expect(await upload(victim.port, mebibyte)).toBe(202);
  while ((await victim.bodies()).some((name) => name.endsWith('.part'))) await victim.measure();
  expect(await victim.bodies()).toHaveLength(1);
  expect(victim.errors).toBe('');
});
