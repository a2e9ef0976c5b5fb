// Answers that go on until they are given up end then, also when memory was collected meanwhile.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { AdminClient } from '../src/admin.ts';

setFlagsFromString('--expose-gc');
// What the flag adds to new contexts only.
const collect = runInNewContext('gc') as () => void;

it('follows events no longer once the signal is aborted', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200);
    response.write('{"number":1}\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // What listens is an address with a port.
  const { port } = server.address() as AddressInfo;
  const admin = new AdminClient({ url: `http://127.0.0.1:${port}`, token: 'x' });
  const over = new AbortController();
  const seen: number[] = [];
  let first = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    first = resolve;
  });
  const following = (async () => {
    for await (const { number } of admin.events('a', { follow: true, signal: over.signal })) {
      seen.push(number);
      first();
    }
  })();
  await begun;
  for (let nth = 0; nth < 5; nth += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  over.abort();
  await following;
  expect(seen).toEqual([1]);
  server.closeAllConnections();
  server.close();
});
