// A model server outside of Sluice, in the harness itself: it answers each request with its own
// text after a moment, counts how many it has at once, and can be taken down and brought up again
// on the same port.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { resultOf } from './ledger.ts';
import { freePort } from './port.ts';
import type { World } from './world.ts';

const latencyMs = 10;

export class Model {
  readonly #port: number;
  #server: Server | undefined;
  #open = 0;
  /** Most requests that it had at the same time. */
  openMax = 0;
  calls = 0;

  private constructor(port: number) {
    this.#port = port;
  }

  /** One that is up, and goes down with the world. */
  static async open(world: World): Promise<Model> {
    const model = new Model(await freePort());
    await model.up();
    world.onClose(() => model.down());
    return model;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async up(): Promise<void> {
    const server = createServer((request, response) => {
      this.calls += 1;
      this.#open += 1;
      this.openMax = Math.max(this.openMax, this.#open);
      response.once('close', () => {
        this.#open -= 1;
      });
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const id = Buffer.concat(pieces).toString();
        setTimeout(() => response.end(resultOf(id)), latencyMs * Math.random());
      });
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
  }

  /** Calls under way are cut; from then on connections are refused. */
  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}
