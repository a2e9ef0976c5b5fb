// Results that go to a file which takes its time: the model server has to wait, and may close its
// connection whenever it likes without ending more than that.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { ResultKeeper } from '../../src/worker/body.ts';
import { HttpModelClient } from '../../src/worker/model-client.ts';
import { bytesOf } from './blobs-world.ts';

const unit = 65_536;
const bytes = bytesOf(40 * unit);

it.each(['close', 'keep-alive'])(
  'takes whole results of any size (connection: %s)',
  async (how) => {
    let size = 0;
    const server = createServer((socket) => {
      socket.on('data', () => {
        const head = `HTTP/1.1 200 OK\r\nconnection: ${how}\r\ncontent-length: ${size}\r\n\r\n`;
        socket.write(head);
        if (how === 'close') socket.end(bytes.subarray(0, size));
        else socket.write(bytes.subarray(0, size));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const model = new HttpModelClient({ origin: `http://127.0.0.1:${port}`, clock: systemClock });
    let kept: Buffer = Buffer.alloc(0);
    const keeper: ResultKeeper = {
      bytesMax: 10 ** 8,
      keep: async (source) => {
        // A disk that stands still until nothing moves any more.
        for (let turns = 0; turns < 2000; turns += 1) await new Promise(setImmediate);
        const pieces: Uint8Array[] = [];
        for await (const piece of source) pieces.push(piece);
        kept = Buffer.concat(pieces);
        return {
          place: { kind: 'file', name: 'result', size: kept.length },
          done: () => undefined,
        };
      },
    };
    const options = { signal: new AbortController().signal, answerBytesMax: 1000, keeper };
    const request = { method: 'POST', path: '/', headers: {}, body: Buffer.from('x') };
    for (let units = 14; units <= 40; units += 1) {
      size = units * unit;
      const result = await model.call(request, options);
      expect(result).toMatchObject({ kind: 'answer', size, sizeKnown: true });
      expect(kept.equals(bytes.subarray(0, size))).toBe(true);
    }
    await model.close();
    await once(server.close(), 'close');
  },
);
