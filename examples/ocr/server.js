// A model server for text recognition, as small as one can be: GET /healthz answers once the model
// is loaded, POST / takes an image and answers its text. It knows nothing of Sluice; HOST and PORT
// say where to listen. One picture at a time: more would only wait inside.

import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createWorker, OEM, PSM } from 'tesseract.js';

const imageBytesMax = 16 * 1024 * 1024;
const host = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 8080);

const data = dirname(fileURLToPath(import.meta.resolve('@tesseract.js-data/eng/package.json')));
const recogniser = await createWorker('eng', OEM.LSTM_ONLY, {
  langPath: join(data, '4.0.0_best_int'),
  gzip: true,
  cacheMethod: 'none',
  // Without a handler an unreadable picture would end the process instead of the one request.
  errorHandler: () => undefined,
});
// Looks for columns; without this a line runs right across them.
await recogniser.setParameters({ tessedit_pageseg_mode: PSM.AUTO });

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    reply(response, 500, 'recognition failed');
  });
});
server.listen(port, host, () => {
  console.log(`text recognition listens on http://${host}:${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => recogniser.terminate());
    server.closeIdleConnections();
  });
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname === '/healthz') return reply(response, 200, 'ok');
  if (pathname !== '/') return reply(response, 404, 'there are / and /healthz');
  if (request.method !== 'POST') return reply(response, 405, 'POST an image');
  const image = await readBody(request);
  if (image === undefined) return reply(response, 413, `images are at most ${imageBytesMax} bytes`);
  if (!isImage(image)) return reply(response, 415, 'not a PNG or JPEG image');
  // Sluice says with each call which request it is, and which delivery of it.
  const work = {
    request: request.headers['x-request-id'] ?? '',
    delivery: Number(request.headers['x-sluice-delivery'] ?? 1),
  };
  log('started', work);
  try {
    const { data: page } = await recogniser.recognize(image);
    log('finished', work);
    return reply(response, 200, page.text);
  } catch (error) {
    return reply(response, 422, `unreadable image: ${error}`);
  }
}

async function readBody(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > imageBytesMax) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function log(event, fields) {
  console.log(JSON.stringify({ at: Date.now(), event, ...fields }));
}

function isImage(bytes) {
  if (bytes.length < 4) return false;
  return bytes.subarray(1, 4).toString('latin1') === 'PNG' || bytes.readUInt16BE(0) === 0xffd8;
}

function reply(response, status, text) {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(text);
}
