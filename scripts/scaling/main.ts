// The story of one service whose instances follow its load: there are none; one request starts one;
// a heap of them makes it five; when all is done they go again. Every step is told by the server's
// own events. Ends with code 1 when a step or a result is missing.

import { readFileSync } from 'node:fs';
import type { ApplyAnswer, EventInfo } from '@sluice/sdk';
import { put, takeResults } from '../demo/queue.ts';
import { say } from '../demo/report.ts';
import { pause, type Sluice, startSluice } from '../demo/sluice.ts';
import { readFlags } from '../usage.ts';

const usage = `
npm run scaling -- [flags]: a service goes from 0 to 1, to 5 and back to 0 instances, with reasons.
  --requests N     how many requests make the load (120)
`;
const { values } = readFlags(usage, { options: { requests: { type: 'string' } } });
const requests = Number(values.requests ?? 120);
const storyMsMax = 180_000;
const file = new URL('../../examples/scaling/service.json', import.meta.url);
const definition: unknown = JSON.parse(readFileSync(file, 'utf8'));
const name = 'swarm';

const sluice = await startSluice({ isolated: true });
const over = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => over.abort());
const late = setTimeout(() => over.abort(), storyMsMax);
const counts: number[] = [];
try {
  const telling = tellEvents(sluice);
  // Whoever plays notices first that the server is gone.
  telling.catch(() => undefined);
  const results = await play(sluice);
  over.abort();
  await telling;
  say(`\ninstances: ${['0', ...counts].join(' → ')}; ${results} of ${requests + 1} results`);
  const went = counts[0] === 1 && counts.includes(5) && counts.at(-1) === 0;
  if (!went || results !== requests + 1) process.exitCode = 1;
} catch (error) {
  if (!over.signal.aborted) throw error;
  say('ended before the story was told');
  process.exitCode = 1;
} finally {
  clearTimeout(late);
  await sluice.stop();
}

/** Answers how many results there were. */
async function play({ admin }: Sluice): Promise<number> {
  const applied = await admin.applyService(name, definition);
  say('One request to a service without instances:');
  await send(applied, 1);
  let results = await take(applied, 1);
  say(`\n${requests} requests at once:`);
  await send(applied, requests);
  results += await take(applied, requests);
  say('\nAll is done:');
  while (counts.at(-1) !== 0) await waitOn(100);
  return results;
}

async function send(applied: ApplyAnswer, count: number): Promise<void> {
  const endpoint = { url: applied.endpoint, token: applied.token };
  const body = { bytes: Buffer.from('what a request holds'), contentType: 'text/plain' };
  for (let nth = 0; nth < count; nth += 1) await put(endpoint, body);
}

async function take(applied: ApplyAnswer, count: number): Promise<number> {
  const endpoint = { url: applied.endpoint, token: applied.token };
  let taken = 0;
  while (taken < count) {
    taken += (await takeResults(endpoint)).length;
    await waitOn(50);
  }
  return taken;
}

async function waitOn(ms: number): Promise<void> {
  over.signal.throwIfAborted();
  await pause(ms);
}

async function tellEvents({ admin }: Sluice): Promise<void> {
  const { signal } = over;
  const shown: readonly EventInfo['kind'][] = ['scaling', 'instance'];
  try {
    for await (const event of admin.events(undefined, { follow: true, signal })) {
      if (!shown.includes(event.kind)) continue;
      say(`  ${event.at.slice(11, 23)}  ${event.what.padEnd(12)} ${event.text}`);
      const [, after] = /^\d+ → (\d+) instances?:/.exec(event.text) ?? [];
      if (after !== undefined) counts.push(Number(after));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
