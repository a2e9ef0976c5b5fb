// Metrics of instances over real sockets: read, bounded, and never the scaler's own trouble.

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { gather } from '../../src/autoscaler/gather.ts';
import type { InstanceFacts, Usage } from '../../src/autoscaler/ports.ts';
import { type ScrapeLimits, scrape, scrapeLimits } from '../../src/autoscaler/scrape.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { policyOf, strategy } from '../unit/autoscaler-world.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Of a TCP server that listens it is one of these.
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/base`;
}

async function read(url: string, limits: Partial<ScrapeLimits> = {}): Promise<unknown> {
  const { signal } = new AbortController();
  const options = { clock: systemClock, signal, limits: { ...scrapeLimits, ...limits } };
  const found = await scrape(url, new Set(['depth']), options);
  return typeof found === 'string' ? found : found.get('depth');
}

test('reads the sum of a metric at /metrics', async () => {
  const url = await serve((request, response) => {
    response.end(request.url === '/metrics' ? 'depth{a="1"} 2\ndepth{a="2"} 3\n' : 'depth 99\n');
  });
  expect(await read(url)).toBe(5);
});

test.each<[string, RequestListener, string]>([
  ['an error', (_, response) => response.writeHead(503).end(), 'GET /metrics answered 503'],
  ['silence', () => undefined, 'no metrics within 0.2 s'],
  [
    'an answer that never ends',
    (_, response) => void response.write('depth 1\n'),
    'no metrics within 0.2 s',
  ],
  [
    'too much',
    (_, response) => response.end('x'.repeat(10_000)),
    'its metrics are larger than 5000 bytes',
  ],
])('says what is wrong with %s', async (_, answer, expected) => {
  expect(await read(await serve(answer), { timeoutMs: 200, bytesMax: 5000 })).toBe(expected);
});

test('says when nobody listens', async () => {
  const url = await serve(() => undefined);
  servers.splice(0).map((server) => server.close());
  expect(await read(url)).toContain('ECONNREFUSED');
});

test('asks each ready instance once, and counts those that do not answer', async () => {
  let asked = 0;
  const url = await serve((_, response) => {
    asked += 1;
    response.end(`depth ${asked * 10}\nother 1\n`);
  });
  const usage = new Map<string, Usage>([['a', { cpuCores: 1.5 }]]);
  const strategies = [
    strategy({ name: 'depth' }, 5),
    strategy({ name: 'other' }, 5),
    strategy('cpu', 50),
    strategy('qps', 5),
    strategy('gpu', 50),
  ];
  const found = await gather(
    { name: 's', policy: policyOf({ strategies }), count: 3, window: 1 },
    {
      ports: {
        instances: () => [
          ready('a', url),
          ready('b', url),
          ready('c', 'http://127.0.0.1:9/'),
          { ...ready('d', url), state: 'Starting' },
        ],
        usage: async () => usage,
        gpuPercent: async () => new Map([['b', 70]]),
        cpuMillis: () => 2000,
      },
      clock: systemClock,
      limits: scrapeLimits,
      signal: new AbortController().signal,
    },
  );
  expect(asked).toBe(2);
  expect(found.reading(0)).toMatchObject({ kind: 'each', sum: 30, known: 2, missing: 1 });
  expect(found.reading(1)).toMatchObject({ sum: 2, known: 2 });
  expect(found.reading(2)).toEqual({
    kind: 'each',
    sum: 75,
    known: 1,
    missing: 2,
    why: 'c: what it uses of the machine is not known',
  });
  expect(found.reading(3)).toBeUndefined();
  expect(found.reading(4)).toMatchObject({ sum: 70, known: 1, missing: 2 });
});

test('another service stands for this one with the average of its instances', async () => {
  const url = await serve((_, response) => response.end('depth 8\n'));
  const found = await gather(
    {
      name: 's',
      policy: policyOf({ strategies: [strategy({ name: 'depth' }, 5, 'upstream')] }),
      count: 3,
      window: 1,
    },
    {
      ports: {
        instances: (name) => (name === 'upstream' ? [ready('a', url), ready('b', url)] : []),
        usage: async () => new Map(),
        gpuPercent: async () => new Map(),
        cpuMillis: () => 0,
      },
      clock: systemClock,
      limits: scrapeLimits,
      signal: new AbortController().signal,
    },
  );
  expect(found.reading(0)).toMatchObject({ kind: 'each', sum: 24, known: 3 });
});

function ready(name: string, url: string): InstanceFacts {
  const feed = { running: [], abandoned: 0 };
  return { name, state: 'Running', reason: '', url, startedAt: 1, readyAt: 2, feed };
}
