// Sluice's own workers in front of a model that goes on living while the server is killed: every
// accepted request gets its one result, and the model never has more calls than it can hold.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  type CrashWorld,
  killAgainAndAgain,
  Ledger,
  openCrashWorld,
  putOverHttp,
  readResults,
  serviceName,
} from './crash-world.ts';

const window = 6;

/** Answers each request with its own text after a moment, and counts how many it has at once. */
class Model {
  readonly #server: Server;
  #open = 0;
  openMax = 0;
  calls = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      if (request.method !== 'POST') {
        response.end('ready');
        return;
      }
      this.calls += 1;
      this.#open += 1;
      this.openMax = Math.max(this.openMax, this.#open);
      response.once('close', () => {
        this.#open -= 1;
      });
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        setTimeout(() => response.end(`result of ${text}`), 5);
      });
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no address');
    return `http://127.0.0.1:${address.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

let model: Model;
let world: CrashWorld;

beforeEach(async () => {
  model = new Model();
  world = await openCrashWorld({
    metadata: { name: serviceName, type: 'Async', instance: 1, rpc: { worker_threads: window } },
    endpoint: await model.start(),
  });
  await world.start();
});

afterEach(async () => {
  await world.close();
  await model.stop();
});

it('gives every accepted request its one result through three kills', async () => {
  const ledger = new Ledger();
  const puts = new AbortController();
  const reading = readResults(world.url, ledger, { isNear: () => puts.signal.aborted });
  const lanes = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const putting = lanes.map((name) => putOverHttp(world.url, ledger, name, puts.signal));
  await killAgainAndAgain(world, ledger, { times: 3, every: 300 });
  await ledger.until(1_200);
  puts.abort();
  await Promise.all(putting);
  await reading;
  const nothing = { lost: 0, duplicated: 0, wrong: 0, foreign: 0, sharedIndexes: 0 };
  expect(ledger.balance((id) => `result of body of ${id}`)).toEqual(nothing);
  expect(model.calls).toBeGreaterThanOrEqual(ledger.acceptedCount);
  expect(model.openMax).toBeLessThanOrEqual(window);
}, 120_000);
