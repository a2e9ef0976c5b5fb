// What the client takes from the platform it runs on: chance and sockets.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { defaultPlatform, defaultRandom, isUnseen } from '../src/platform.ts';

test('makes random ids of version 4, none twice', () => {
  const ids = Array.from({ length: 2000 }, () => defaultRandom.id());
  expect(new Set(ids).size).toBe(ids.length);
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  for (const id of ids) expect(id).toMatch(form);
  // Each place takes each digit it may have.
  for (let at = 0; at < 36; at++) {
    const digits = new Set(ids.map((id) => id[at])).size;
    const fixed = [8, 13, 14, 18, 23].includes(at);
    expect(digits).toBe(fixed ? 1 : at === 19 ? 4 : 16);
  }
});

test('leaves masks out only where nobody between the ends sees the bytes', () => {
  const unseen = ['wss://queue.example/v1/stream', 'ws://127.0.0.1:8600/', 'ws://127.3.2.1'];
  for (const url of [...unseen, 'ws://localhost:8600', 'ws://[::1]:8600']) {
    expect([url, isUnseen(url)]).toEqual([url, true]);
  }
  const seen = ['ws://queue.example/v1/stream', 'ws://10.0.0.7:8600', 'ws://[fe80::1]:8600'];
  for (const url of [...seen, 'ws://localhost.example', 'ws://127.0.0.1.example']) {
    expect([url, isUnseen(url)]).toEqual([url, false]);
  }
});

test('sends the bytes as they are to a server on the same machine', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const events = { message: () => undefined, closed: () => undefined };
  const opening = defaultPlatform.openSocket(`ws://127.0.0.1:${port}`, {}, events, undefined);
  const [peer]: Socket[] = await once(server, 'connection');
  if (peer === undefined) throw new Error('nobody came');
  peer.write(handshakeAnswer(await read(peer, (bytes) => bytes.includes('\r\n\r\n'))));
  const socket = await opening;
  const payload = new Uint8Array(64).fill(0xa5);
  socket.send(payload);
  const frame = await read(peer, (bytes) => bytes.length >= 6 + payload.length);
  // Final and binary; masked, as every frame of a client has to be, with zeros; the payload.
  expect([...frame]).toEqual([0x82, 0x80 | payload.length, 0, 0, 0, 0, ...payload]);
  socket.terminate();
  server.close();
});

async function read(socket: Socket, isWhole: (bytes: Buffer) => boolean): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (!isWhole(bytes)) {
    const [piece]: Buffer[] = await once(socket, 'data');
    bytes = Buffer.concat([bytes, piece ?? Buffer.alloc(0)]);
  }
  return bytes;
}

/** As RFC 6455 has it in section 4.2.2. */
function handshakeAnswer(request: Buffer): string {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request.toString('latin1'))?.[1] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept.digest('base64')}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
