// Bodies that lie at addresses, fetched from real servers: streamed, bounded, from nowhere that the
// service does not allow, and objects only with a signature that their store finds right.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createRaw } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BodyAddresses } from '../../src/blobs/address.ts';
import { allowList } from '../../src/kernel/address-filter.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type FetchRules, s3SettingsOf } from '../../src/kernel/object-store.ts';
import { signedHeaders } from '../../src/kernel/sigv4.ts';
import { bytesOf, readAll } from './blobs-world.ts';

const closed: FetchRules = { allow: allowList([], 'fetch.allow'), buckets: [] };
const open: FetchRules = { allow: allowList(['127.0.0.0/8'], 'fetch.allow'), buckets: ['photos'] };

let answer: (request: IncomingMessage, response: ServerResponse) => void;
let url: string;
let close: () => Promise<void>;
let asked: string[];

beforeEach(async () => {
  asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
});
afterEach(() => close());

function addresses(environment: Record<string, string> = {}): BodyAddresses {
  return new BodyAddresses({ s3: s3SettingsOf(environment), clock: systemClock });
}

async function fetchAll(address: string, bytesMax = 10 ** 6, rules = open): Promise<Buffer> {
  const { signal } = new AbortController();
  const environment = {
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_REGION: 'eu-north-1',
    AWS_ENDPOINT_URL_S3: url,
  };
  const { stream } = await addresses(environment).open(address, { rules, bytesMax, signal });
  return readAll(stream);
}

it('fetches a body whose size is known, and one whose end tells', async () => {
  const bytes = bytesOf(700_000);
  answer = (_request, response) => response.setHeader('content-length', bytes.length).end(bytes);
  expect((await fetchAll(`${url}/a?b=c`)).equals(bytes)).toBe(true);
  answer = (_request, response) => {
    for (let at = 0; at < bytes.length; at += 50_000)
      response.write(bytes.subarray(at, at + 50_000));
    response.end();
  };
  expect((await fetchAll(`${url}/a`)).equals(bytes)).toBe(true);
  expect(asked).toEqual(['/a?b=c', '/a']);
});

it('asks nobody whom the service does not allow, and follows nobody elsewhere', async () => {
  answer = (_request, response) => response.writeHead(302, { location: `${url}/secret` }).end();
  await expect(fetchAll(`${url}/a`, 100, closed)).rejects.toMatchObject({
    code: 'unprocessable',
    message: expect.stringContaining('fetch.allow'),
  });
  await expect(addresses().check('file:///etc/passwd', open)).rejects.toMatchObject({
    code: 'unprocessable',
  });
  expect(asked).toEqual([]);
  await expect(fetchAll(`${url}/a`)).rejects.toThrow('redirects are not followed');
  expect(asked).toEqual(['/a']);
});

it('says whether waiting may help', async () => {
  const codes: [number, string][] = [
    [404, 'unprocessable'],
    [403, 'unprocessable'],
    [206, 'unprocessable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
  ];
  for (const [status, code] of codes) {
    answer = (_request, response) => response.writeHead(status).end('no');
    await expect(fetchAll(url)).rejects.toMatchObject({ code });
  }
  answer = (request) => request.socket.destroy();
  await expect(fetchAll(url)).rejects.toMatchObject({ code: 'unavailable', retry: true });
});

it('takes no more than the most, said or not', async () => {
  const bytes = bytesOf(100_001);
  answer = (_request, response) => response.setHeader('content-length', bytes.length).end(bytes);
  await expect(fetchAll(url, 100_000)).rejects.toMatchObject({ code: 'too_large' });
  answer = (_request, response) => void response.write(bytes);
  await expect(fetchAll(url, 100_000)).rejects.toMatchObject({ code: 'too_large' });
  answer = (_request, response) => {
    response.setHeader('content-length', 100_000).write(bytes.subarray(0, 50_000));
    response.socket?.end();
  };
  await expect(fetchAll(url, 100_000)).rejects.toThrow();
});

it('survives a server that is gone before a slow reader has all of its answer', async () => {
  // As many as fill the buffers of a client to the last byte.
  const bytes = bytesOf(10 * 65_536);
  for (const length of ['', `content-length: ${bytes.length}\r\n`]) {
    const server = createRaw((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\n${length}\r\n`);
        socket.end(bytes);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const order = { rules: open, bytesMax: 10 ** 7, signal: new AbortController().signal };
    const { stream } = await addresses().open(`http://127.0.0.1:${port}/`, order);
    const pieces: Uint8Array[] = [];
    for await (const piece of stream) {
      pieces.push(piece);
      // The disk, or a model that takes its time: the connection has its turns meanwhile.
      for (let turns = 0; turns < 5; turns += 1) await new Promise(setImmediate);
    }
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
    await once(server.close(), 'close');
  }
});

it('reads an object with a signature, from buckets that the service names only', async () => {
  let isRight = false;
  answer = (request, response) => {
    const stamp = String(request.headers['x-amz-date']);
    const time = stamp.replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, '$1-$2-$3T$4:$5:$6Z');
    const expected = signedHeaders({
      url: new URL(request.url ?? '', url),
      credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret', sessionToken: undefined },
      region: 'eu-north-1',
      service: 's3',
      now: Date.parse(time),
    });
    isRight = request.headers.authorization === expected.authorization;
    response.end('the object');
  };
  expect((await fetchAll('s3://photos/a b/ü+1.png')).toString()).toBe('the object');
  expect(isRight).toBe(true);
  expect(asked).toEqual(['/photos/a%20b/%C3%BC%2B1.png']);
  const refusals: [string, string][] = [
    ['s3://others/a', 'fetch.s3_buckets'],
    ['s3://photos/', 's3://bucket/key'],
    ['s3://photos', 's3://bucket/key'],
    ['s3://../photos/a', 's3://bucket/key'],
    ['s3://photos/../others/a', 'part . or ..'],
    ['s3://photos/a/.', 'part . or ..'],
  ];
  for (const [address, text] of refusals) await expect(fetchAll(address)).rejects.toThrow(text);
  expect(asked).toHaveLength(1);
  await expect(addresses().check('s3://photos/a', open)).rejects.toThrow('AWS_ACCESS_KEY_ID');
});
