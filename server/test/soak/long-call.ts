// Proves that nothing of ours ends a long call: three of 310 seconds, longer than any default timer
// of an HTTP client. One model answers late, one is silent between headers and body, one falls
// silent in the middle of its body. `--seconds N` makes them shorter.

import type { ServerResponse } from 'node:http';
import { Broker } from '../../src/broker/broker.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { defaultSettings } from '../../src/queue/settings.ts';
import { HttpModelClient } from '../../src/worker/model-client.ts';
import { Worker } from '../../src/worker/worker.ts';
import { plainSettings, startModel } from '../integration/worker-world.ts';

const at = process.argv.indexOf('--seconds');
const seconds = at < 0 ? 310 : Number(process.argv[at + 1]);
const [clock, random, log] = [systemClock, systemRandom, silentLog];

const ways: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'late answer': (response) => later(() => response.end('late answer')),
  'late body': (response) => {
    response.writeHead(200).flushHeaders();
    later(() => response.end('late body'));
  },
  'late end': (response) => {
    response.write('late ');
    later(() => response.end('end'));
  },
};
const names = Object.keys(ways);

const model = await startModel(({ body }, response) => ways[body]?.(response));
const broker = new Broker({ engine: new MemoryEngine(), clock, random, log });
const settings = { ...defaultSettings, declaresInstances: true, deliveryMax: 1 };
const queues = await broker.open({ number: 1, name: 'reader', settings });
const worker = new Worker({
  service: 'reader',
  instance: 'reader-1',
  source: queues,
  model: new HttpModelClient({ origin: model.origin, clock }),
  basePath: '/',
  settings: { ...plainSettings, window: names.length },
  answerBytesMax: () => 8192,
  cutGraceMs: 0,
  ...{ clock, random, log },
});
worker.start();

const by = { gid: 'client', uid: 'client' };
const startedAt = clock.now().mono;
for (const name of names) await queues.put('input', putOf(name));
const results = await queues.get(
  'sink',
  {
    ...{ from: 0, length: names.length, timeoutMs: (seconds + 60) * 1000, autoDelete: false },
    ...{ tags: new Map(), id: undefined, by },
  },
  undefined,
);
const took = Math.round((clock.now().mono - startedAt) / 1000);
const bodies = results.messages.map(({ payload }) => Buffer.from(payload).toString()).sort();
await worker.drain(AbortSignal.abort());
await broker.stop();
await model.close();

const whole = JSON.stringify(bodies) === JSON.stringify([...names].sort());
console.log(`${bodies.length} of ${names.length} calls answered after ${took} s: ${bodies}`);
if (!whole || took < seconds) {
  console.error(`expected ${names} after ${seconds} s`);
  process.exitCode = 1;
}

function later(run: () => void): void {
  clock.after(seconds * 1000, run);
}

function putOf(body: string): Parameters<typeof queues.put>[1] {
  return {
    ...{ payload: Buffer.from(body), id: undefined, tags: new Map(), priority: 0, by },
    ...{ path: undefined, contentType: undefined, home: 'sink', expiresAt: 0, owner: undefined },
    ...{ idempotencyKey: undefined, terms: undefined },
  };
}
