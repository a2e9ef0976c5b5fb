// Models fetched from a real server that cuts, changes its mind and lies: what arrives is whole and
// of one version, or there is a reason that says whether trying again can help.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { basename } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bytesOf } from './blobs-world.ts';
import { closedRules, ModelWorld, mebibyte, Origin } from './models-world.ts';

const bytes = bytesOf(3 * mebibyte + 17);
let world: ModelWorld;
let origin: Origin;

beforeEach(async () => {
  world = await ModelWorld.open();
  origin = await Origin.open(bytes);
});
afterEach(async () => {
  await world.close();
  await origin.close();
});

async function isWhole(path: string, expected = origin.bytes): Promise<boolean> {
  return (await readFile(path)).equals(expected);
}

it('fetches a model, says how far it is, and calls its file as the address does', async () => {
  const { path, release } = await world.hold(`${origin.url}/models/lr%20one.pmml?version=3`);
  expect(basename(path)).toBe('lr one.pmml');
  expect(path.startsWith(world.models)).toBe(true);
  expect(await isWhole(path)).toBe(true);
  expect(world.progress.at(0)).toMatch(/^\d\.\d of 3\.1 MB \(\d+ %\)$/);
  release();
});

it('goes on after a cut from where it was cut, and again after a stop of the server', async () => {
  const sizes = [mebibyte, 1, 500_000];
  origin.answer = (request, response) => {
    const size = sizes.shift();
    if (size === undefined) origin.serve(request, response);
    else origin.cut(request, response, size);
  };
  const { path } = await world.hold(`${origin.url}/a.onnx`);
  expect(await isWhole(path)).toBe(true);
  const at = [mebibyte, mebibyte + 1, mebibyte + 500_001];
  expect(origin.asked).toEqual(['/a.onnx', ...at.map((from) => `/a.onnx bytes=${from}-`)]);
  expect(world.progress).toContainEqual(expect.stringContaining('trying again in 1 s'));

  origin.asked.length = 0;
  world.progress.length = 0;
  origin.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': bytes.length, etag: origin.etag });
    response.write(bytes.subarray(0, 2 * mebibyte));
  };
  const open = world.hold(`${origin.url}/b.onnx`);
  const stopped = expect(open).rejects.toThrow('the server is stopping');
  await expect.poll(() => world.progress.length).toBeGreaterThan(0);
  await world.restart();
  await stopped;
  origin.answer = origin.serve.bind(origin);
  const { path: second } = await world.hold(`${origin.url}/b.onnx`);
  expect(await isWhole(second)).toBe(true);
  expect(origin.asked.at(-1)).toMatch(/^\/b.onnx bytes=\d{5,}-$/);
});

it('begins anew when another file lies there by now, whatever the server sends', async () => {
  const next = bytesOf(2 * mebibyte, 7);
  const change = (): void => {
    origin.bytes = next;
    origin.etag = '"two"';
  };
  const replies: ((response: ServerResponse) => void)[] = [
    // Knows If-Range and sends all of the new one.
    (response) =>
      response.writeHead(200, { etag: '"two"', 'content-length': next.length }).end(next),
    // Sends a part of the new one as if nothing had happened.
    (response) => {
      const rest = next.subarray(mebibyte);
      const range = `bytes ${mebibyte}-${next.length - 1}/${next.length}`;
      response.writeHead(206, { etag: '"two"', 'content-range': range });
      response.end(rest);
    },
    (response) => response.writeHead(416).end(),
    // Sends another part than it was asked for.
    (response) => {
      const range = `bytes 0-${next.length - 1}/${next.length}`;
      response.writeHead(206, { etag: '"one"', 'content-range': range }).end(next);
    },
    (response) => response.writeHead(206, { etag: '"one"' }).end('no range at all'),
  ];
  for (const [at, reply] of replies.entries()) {
    origin.bytes = bytes;
    origin.etag = '"one"';
    let count = 0;
    origin.answer = (request, response) => {
      count += 1;
      if (count === 1) origin.cut(request, response, mebibyte);
      else if (request.headers.range === undefined) origin.serve(request, response);
      else reply(response);
      change();
    };
    const { path } = await world.hold(`${origin.url}/${at}.onnx`);
    expect(await isWhole(path, next)).toBe(true);
  }
});

it('takes no answer that ends early for a whole one', async () => {
  origin.answer = (_request, response) => {
    response.writeHead(200, { etag: '"one"' });
    response.write(bytes.subarray(0, mebibyte), () => response.socket?.end());
  };
  await expect(world.hold(`${origin.url}/chunked`)).rejects.toMatchObject({ isFinal: false });
  // Neither a length nor pieces: what ends a connection may be a cut.
  origin.answer = (_request, response) => {
    response.removeHeader('transfer-encoding');
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { connection: 'close' });
    response.end(bytes);
  };
  await expect(world.hold(`${origin.url}/endless`)).rejects.toMatchObject({
    isFinal: true,
    message: expect.stringContaining('give model_checksum'),
  });
  const { path } = await world.hold(`${origin.url}/endless`, { checksum: origin.sum });
  expect(await isWhole(path)).toBe(true);
});

it('waits longer and longer while nothing comes, then leaves it for later', async () => {
  origin.answer = (_request, response) => response.writeHead(503).end();
  await expect(world.hold(`${origin.url}/a`)).rejects.toMatchObject({
    isFinal: false,
    message: `${origin.url}/a answered 503; tried 5 times`,
  });
  const rounded = world.clock.pausesMs.map((ms) => 2 ** Math.round(Math.log2(ms / 900)));
  expect(rounded).toEqual([1, 2, 4, 8]);
  world.clock.pausesMs.length = 0;
  const statuses = [429, 500, 408];
  origin.answer = (request, response) => {
    const status = statuses.shift();
    if (status === undefined) origin.serve(request, response);
    else response.writeHead(status, { 'retry-after': '7' }).end();
  };
  const { path } = await world.hold(`${origin.url}/a`);
  expect(await isWhole(path)).toBe(true);
  expect(world.clock.pausesMs).toEqual([7000, 7000, 7000]);
});

it('asks once where asking again cannot help', async () => {
  const refusals: [number, string][] = [
    [404, 'answered 404'],
    [403, 'answered 403'],
    [401, 'asks for a password'],
    [410, 'answered 410'],
  ];
  for (const [status, text] of refusals) {
    origin.asked.length = 0;
    origin.answer = (_request, response) => response.writeHead(status).end();
    const error = { isFinal: true, message: expect.stringContaining(text) };
    await expect(world.hold(`${origin.url}/a?signature=abc`)).rejects.toMatchObject(error);
    await expect(world.hold(`${origin.url}/a?signature=abc`)).rejects.not.toThrow('abc');
    expect(origin.asked).toHaveLength(2);
  }
  expect(await world.files()).toEqual([]);
});

it('follows redirects, each only to where the service may fetch from', async () => {
  origin.answer = (request, response) => {
    if (request.url === '/latest') response.writeHead(302, { location: '/v3/m.pmml' }).end();
    else if (request.url === '/round') response.writeHead(307, { location: '/round' }).end();
    else if (request.url === '/away') {
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
    } else origin.serve(request, response);
  };
  const { path } = await world.hold(`${origin.url}/latest`);
  expect(await isWhole(path)).toBe(true);
  expect(origin.asked).toEqual(['/latest', '/v3/m.pmml']);
  await expect(world.hold(`${origin.url}/round`)).rejects.toThrow('through more than 5');
  await expect(world.hold(`${origin.url}/away`)).rejects.toMatchObject({
    isFinal: true,
    message: expect.stringContaining('169.254.169.254 is link-local'),
  });
});

it('fetches from nowhere that neither the service nor the operator allows', async () => {
  const address = `${origin.url}/a`;
  await expect(world.hold(address, { rules: closedRules })).rejects.toMatchObject({
    isFinal: true,
    message: expect.stringContaining('model.allow'),
  });
  expect(origin.asked).toEqual([]);
  // What another service has fetched already is not open to this one either.
  const held = await world.hold(address);
  await expect(world.hold(address, { rules: closedRules })).rejects.toThrow('model.allow');
  held.release();
  await world.restart({ allow: { networks: [], hosts: ['127.0.0.1'] } });
  const { path } = await world.hold(address, { rules: closedRules });
  expect(await isWhole(path)).toBe(true);
});

it('lets several wait for one download, and ends it when nobody waits any more', async () => {
  let response: ServerResponse | undefined;
  origin.answer = (_request, given) => {
    response = given;
    given.writeHead(200, { 'content-length': bytes.length, etag: '"one"' });
    given.write(bytes.subarray(0, mebibyte));
  };
  const leaving = [new AbortController(), new AbortController(), new AbortController()];
  const holds = leaving.map(({ signal }) => world.hold(`${origin.url}/a.onnx`, { signal }));
  const ends = holds.map((hold) => hold.then(() => 'held').catch((error: Error) => error.message));
  await expect.poll(() => world.progress.length).toBeGreaterThanOrEqual(3);
  leaving[0]?.abort(new Error('first left'));
  expect(await ends[0]).toBe('first left');
  expect(response?.closed).toBe(false);
  response?.end(bytes.subarray(mebibyte));
  const [, one, two] = await Promise.all([ends[0], holds[1], holds[2]]);
  expect(one?.path).toBe(two?.path);
  expect(origin.asked).toEqual(['/a.onnx']);

  origin.asked.length = 0;
  const alone = new AbortController();
  const open = world.hold(`${origin.url}/b.onnx`, { signal: alone.signal });
  const left = expect(open).rejects.toThrow('not wanted');
  await expect.poll(() => origin.asked).toEqual(['/b.onnx']);
  if (response === undefined) throw new Error('nobody has asked');
  const closed = once(response, 'close');
  alone.abort(new Error('not wanted'));
  await left;
  await closed;
});

it('compares the checksum, and fetches what is wrong only once', async () => {
  const checksum = `sha256:${'0'.repeat(64)}`;
  const wrong = {
    isFinal: true,
    message: expect.stringContaining(`not model_checksum ${checksum}`),
  };
  await expect(world.hold(`${origin.url}/a`, { checksum })).rejects.toMatchObject(wrong);
  await expect(world.hold(`${origin.url}/a`, { checksum })).rejects.toMatchObject(wrong);
  expect(origin.asked).toEqual(['/a', '/a unless "one"']);
  expect(await world.files()).toEqual([]);
  expect(world.cache.bytes).toBe(0);
  // Another file lies there now: it is looked at.
  origin.bytes = bytesOf(1000, 9);
  origin.etag = '"two"';
  const { path } = await world.hold(`${origin.url}/a`, { checksum: origin.sum });
  expect(await isWhole(path)).toBe(true);
});

it('fetches once more when pieces of two files were put together', async () => {
  const next = bytesOf(bytes.length, 7);
  origin.bytes = bytes;
  let count = 0;
  origin.answer = (request, response) => {
    count += 1;
    if (count === 1) origin.cut(request, response, mebibyte);
    else origin.serve(request, response);
    // A server that gives another file the same tag.
    origin.bytes = next;
  };
  const wanted = await Origin.open(next);
  const { path } = await world.hold(`${origin.url}/a`, { checksum: wanted.sum });
  await wanted.close();
  expect(await isWhole(path, next)).toBe(true);
  expect(origin.asked).toEqual(['/a', `/a bytes=${mebibyte}-`, '/a']);
});

it('takes no model over the limits, said or not', async () => {
  await world.restart({ modelBytesMax: mebibyte });
  const tooLarge = {
    isFinal: true,
    message: expect.stringContaining('models.modelBytesMax = 1048576'),
  };
  await expect(world.hold(`${origin.url}/a`)).rejects.toMatchObject(tooLarge);
  origin.answer = (_request, response) => void response.write(bytes);
  await expect(world.hold(`${origin.url}/a`)).rejects.toMatchObject(tooLarge);
  expect(await world.files()).toEqual([]);
});
