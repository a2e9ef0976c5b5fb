// A model server with work that takes long: a request asks for so many steps, each of several
// parts. After each step it leaves a checkpoint with Sluice; whoever gets the request next goes on
// from there. HOST and PORT say where to listen; without Sluice it works just the same, from the
// start.

import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const host = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 8080);
const partMs = Number(process.env.PART_MS ?? 200);
const partsOfStep = 5;
/** A file that every part of the work is written to, to see what was done twice. */
const ledger = process.env.LEDGER;

const server = createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end('ok');
    return;
  }
  work(request)
    .then((result) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(result)}\n`);
    })
    .catch((error) => {
      response.writeHead(500).end(`${error.message}\n`);
    });
});
server.listen(port, host);

async function work(request) {
  const { steps } = JSON.parse(await textOf(request));
  const reportUrl = request.headers['sluice-report-url'];
  const before = await checkpointOf(request.headers['sluice-checkpoint-url']);
  const done = before?.done ?? 0;
  let sum = before?.sum ?? 0;
  for (let step = done + 1; step <= steps; step += 1) {
    for (let part = 1; part <= partsOfStep; part += 1) {
      if (request.socket.destroyed) throw new Error('nobody waits any more');
      note(`part ${step}.${part}`);
      await sleep(partMs);
    }
    sum += step;
    await keep(reportUrl, { done: step, sum });
    await report(reportUrl, { percent: (100 * step) / steps, stage: `step ${step} of ${steps}` });
  }
  const attempt = Number(request.headers['sluice-attempt'] ?? 1);
  return { sum, attempt, resumedAfter: done };
}

async function checkpointOf(url) {
  if (url === undefined) return undefined;
  const answer = await fetch(url);
  return answer.ok ? answer.json() : undefined;
}

/** Kept once this returns, whatever becomes of this process. */
async function keep(reportUrl, checkpoint) {
  if (reportUrl === undefined) return;
  const answer = await fetch(`${reportUrl}/checkpoint`, {
    method: 'PUT',
    body: JSON.stringify(checkpoint),
  });
  if (!answer.ok) throw new Error(`the checkpoint was not kept: ${await answer.text()}`);
}

async function report(reportUrl, news) {
  if (reportUrl === undefined) return;
  await fetch(reportUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(news),
  });
}

async function textOf(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}

function note(text) {
  if (ledger !== undefined) appendFileSync(ledger, `${process.pid} ${text}\n`);
}
