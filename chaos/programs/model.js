// A model server that Sluice starts: answers each request with its own text after a moment, or with
// the failure that the text asks for. It ends when the harness is gone, so that not even a killed
// harness leaves it behind.

import { createServer } from 'node:http';

const { PORT, HOST, CHAOS_PID, LATENCY_MS } = process.env;
const lookMs = 500;

createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  setTimeout(() => {
    if (body.startsWith('fail ')) response.statusCode = 500;
    if (body.startsWith('late ')) response.statusCode = 504;
    response.end(`result of ${body}`);
  }, Number(LATENCY_MS) * Math.random());
}).listen(Number(PORT), HOST);

setInterval(() => {
  try {
    process.kill(Number(CHAOS_PID), 0);
  } catch {
    process.exit(0);
  }
}, lookMs);
