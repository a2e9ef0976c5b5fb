// What running work says of itself, from a real model server to whoever listens: pieces as they
// come, reports over the local address, checkpoints for the next delivery.

import { request as httpRequest, type ServerResponse } from 'node:http';
import type { WorkNote } from '@sluice/sdk/wire';
import { afterEach, expect, it } from 'vitest';
import { silentLog } from '../../src/kernel/log.ts';
import { ReportDesk } from '../../src/worker/report-desk.ts';
import type { WorkDelivery, WorkNews } from '../../src/worker/source.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import {
  type Answer,
  type SeenRequest,
  startModel,
  startWorker,
  until,
  type WorkerWorld,
  type WorldOptions,
} from './worker-world.ts';

/** Listens, and lets a test wait for what it hears. */
class Ear implements WorkNews {
  readonly heard: string[] = [];
  #place = 0;

  add(_delivery: WorkDelivery, notes: readonly WorkNote[], from: number): void {
    expect(from).toBe(this.#place);
    for (const note of notes) {
      this.#place += note.kind === 'output' ? note.data.length : 1;
      if (note.kind === 'output') this.heard.push(Buffer.from(note.data).toString());
      else this.heard.push(`${note.kind} ${note.kind === 'percent' ? note.value : note.text}`);
    }
  }

  end(delivery: WorkDelivery): void {
    this.#place = 0;
    this.heard.push(`end ${delivery.deliveries}`);
  }

  until(count: number): Promise<void> {
    return until(() => this.heard.length >= count);
  }
}

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World extends WorkerWorld {
  readonly ear: Ear;
  readonly model: Awaited<ReturnType<typeof startModel>>;
}

async function world(answer: Answer, options: Partial<WorldOptions> = {}): Promise<World> {
  const ear = new Ear();
  const reports = new ReportDesk({ random: new SeededRandom(2), log: silentLog });
  await reports.start();
  closers.push(() => reports.stop());
  const model = await startModel(answer);
  closers.push(() => model.close());
  const made = startWorker({ origin: model.origin, news: ear, reports, ...options });
  closers.push(() => made.close());
  return { ...made, ear, model };
}

interface Reply {
  readonly status: number;
  readonly body: string;
}

/** Talks to the local address as a model would. */
function say(
  url: string,
  method: string,
  body: string | Uint8Array = '',
  type = 'application/json',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    const sent = httpRequest(url, { method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString() });
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

const reportUrl = (request: SeenRequest | undefined): string =>
  String(request?.headers['sluice-report-url']);

it('passes on each piece of a chunked answer while the model goes on', async () => {
  let stream: ServerResponse | undefined;
  const { ear, source } = await world((_request, response) => {
    stream = response;
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write('one ');
  });
  source.put({});
  await ear.until(1);
  expect(ear.heard).toEqual(['one ']);
  stream?.write('two ');
  await ear.until(2);
  stream?.end('three');
  await source.until(({ completions }) => completions.length === 1);
  expect(ear.heard.join('|')).toMatch(/^one \|two \|three\|end 1$/);
  const [completion] = source.completions;
  expect(Buffer.from(completion?.payload ?? []).toString()).toBe('one two three');
  expect(completion?.code).toBe('200');
  expect(completion?.firstOutputAt).toBeGreaterThan(0);
  expect(source.progressTexts[0]).toBe('one ');
});

it.each(['text/event-stream', 'application/x-ndjson'])('passes on %s at once', async (type) => {
  const { ear, source } = await world((_request, response) => {
    response.writeHead(200, { 'content-type': type }).end('data: {"token":"a"}\n\n');
  });
  source.put({});
  await source.until(({ completions }) => completions.length === 1);
  expect(ear.heard).toEqual(['data: {"token":"a"}\n\n', 'end 1']);
});

it('says nothing of an answer of known length, or of one that fails', async () => {
  const { ear, source } = await world(({ body }, response) => {
    if (body === 'known') response.end('x'.repeat(1000));
    else {
      response.writeHead(400, { 'content-type': 'text/event-stream' });
      response.write('no ');
      response.end('good');
    }
  });
  source.put({ payload: 'known' }, { payload: 'bad' });
  await source.until(({ completions }) => completions.length === 2);
  expect(ear.heard).toEqual([]);
  expect(source.touched).toEqual([]);
});

it('says nothing of chunks that are the whole answer', async () => {
  const { ear, source } = await world((_request, response) => {
    // One segment for head, piece and end, as servers with chunks by default send them.
    response.socket?.end(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n',
    );
  });
  source.put({});
  await source.until(({ completions }) => completions.length === 1);
  expect(Buffer.from(source.completions[0]?.payload ?? []).toString()).toBe('whole');
  expect(ear.heard).toEqual([]);
});

it('begins anew with the next delivery when a stream is cut in the middle', async () => {
  let calls = 0;
  const { ear, source } = await world((_request, response) => {
    calls += 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: ${calls}\n\n`);
    if (calls === 1) setImmediate(() => response.destroy());
    else response.end();
  });
  source.redeliveries = 1;
  source.put({});
  await source.until(({ completions }) => completions.length === 1);
  expect(ear.heard).toEqual(['data: 1\n\n', 'end 1', 'data: 2\n\n', 'end 2']);
  expect(source.returns[0]?.code).toBe('502');
});

it('takes percent, stage, preview and log lines over the local address', async () => {
  let open: ServerResponse | undefined;
  const { ear, source, model } = await world((_request, response) => {
    open = response;
  });
  source.put({});
  await until(() => open !== undefined);
  const url = reportUrl(model.seen[0]);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f-]{36}$/);
  const report = JSON.stringify({ percent: 12.5, stage: 'loading', preview: 'data:,x', log: 'l1' });
  expect(await say(url, 'POST', report)).toEqual({ status: 204, body: '' });
  const lines = '{"percent":20}\n{"log":"l2"}\n';
  expect((await say(url, 'POST', lines, 'application/x-ndjson')).status).toBe(204);
  expect((await say(url, 'POST', 'l3\nl4\n', 'text/plain')).status).toBe(204);
  expect(ear.heard).toEqual([
    ...['percent 12.5', 'stage loading', 'preview data:,x', 'log l1'],
    ...['percent 20', 'log l2', 'log l3\nl4'],
  ]);
  expect(source.progressTexts[0]).toBe('loading, 12.5 %');
  expect(source.touched).toHaveLength(1);
  expect(await say(url, 'POST', '{"percnt":1}')).toMatchObject({ status: 400 });
  expect(await say(url, 'POST', '{"percent":101}')).toMatchObject({ status: 400 });
  expect(await say(url, 'POST', '{"stage":')).toMatchObject({ status: 400 });
  expect(await say(url, 'POST', JSON.stringify({ log: 'x'.repeat(9000) }))).toMatchObject({
    status: 413,
    body: 'log has 9000 bytes, at most 8192\n',
  });
  expect(await say(url, 'DELETE')).toMatchObject({ status: 405 });
  expect(await say(`${url.slice(0, -1)}x`, 'POST', '{}')).toMatchObject({ status: 404 });
  open?.end('done');
  await source.until(({ completions }) => completions.length === 1);
  expect(ear.heard.at(-1)).toBe('end 1');
  expect(await say(url, 'POST', '{"percent":99}')).toMatchObject({ status: 404 });
  expect(ear.heard.at(-1)).toBe('end 1');
});

it('keeps a checkpoint, and hands it to the next delivery', async () => {
  const open: ServerResponse[] = [];
  const { source, model } = await world((_request, response) => {
    open.push(response);
  });
  source.redeliveries = 1;
  source.put({});
  await until(() => open.length === 1);
  const [first] = model.seen;
  expect(first?.headers['sluice-attempt']).toBe('1');
  expect(first?.headers['sluice-checkpoint-url']).toBeUndefined();
  const url = reportUrl(first);
  expect(await say(`${url}/checkpoint`, 'GET')).toMatchObject({ status: 404 });
  expect((await say(`${url}/checkpoint`, 'PUT', 'step 3')).status).toBe(204);
  expect(await say(`${url}/checkpoint`, 'GET')).toEqual({ status: 200, body: 'step 3' });
  const large = new Uint8Array(2 ** 20 + 1);
  expect(await say(`${url}/checkpoint`, 'PUT', large).catch(() => ({ status: 413 }))).toMatchObject(
    {
      status: 413,
    },
  );
  open[0]?.destroy();
  await until(() => open.length === 2);
  const second = model.seen[1];
  expect(second?.headers['sluice-attempt']).toBe('2');
  const checkpointUrl = String(second?.headers['sluice-checkpoint-url']);
  expect(checkpointUrl).toBe(`${reportUrl(second)}/checkpoint`);
  expect(await say(checkpointUrl, 'GET')).toEqual({ status: 200, body: 'step 3' });
  open[1]?.end('done');
  await source.until(({ completions }) => completions.length === 1);
});

it('hears nothing more of a call that it has given up', async () => {
  const { ear, source, model } = await world((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a\n\n');
  });
  source.put({});
  await ear.until(1);
  const [deliveryId = 0] = source.leased;
  source.void(deliveryId);
  await ear.until(2);
  expect(await say(reportUrl(model.seen[0]), 'POST', '{"percent":1}')).toMatchObject({
    status: 404,
  });
  expect(ear.heard).toEqual(['data: a\n\n', 'end 1']);
});
