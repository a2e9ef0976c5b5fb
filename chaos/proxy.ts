// A small TCP proxy between clients and server that does what networks do: it cuts connections,
// and it lets them fall silent while both ends believe them alive.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { World } from './world.ts';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Its sides know nothing of each other any more. */
  isApart: boolean;
}

export class FaultyProxy {
  readonly #port: number;
  readonly #pairs = new Set<Pair>();
  readonly #listener: Server;
  #isSilent = false;

  private constructor(target: number) {
    this.#port = target;
    this.#listener = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
  }

  /** One in front of that address, which closes with the world. */
  static async open(world: World, url: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(Number(new URL(url).port));
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    world.onClose(() => proxy.#close());
    return proxy;
  }

  get url(): string {
    const address = this.#listener.address();
    if (typeof address !== 'object' || address === null) throw new Error('the proxy is closed');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Ends every connection without a word, in both directions. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** Nothing passes any more in either direction, and nobody is told; new connections are no
   * better. What was on its way is lost for good, so these connections can only be cut later. */
  fallSilent(): void {
    this.#isSilent = true;
    for (const pair of this.#pairs) part(pair);
  }

  /** New connections pass again; the silent ones are cut. */
  speak(): void {
    this.#isSilent = false;
    this.cut();
  }

  /** Cuts one side of every connection and leaves the other believing that all is well. */
  halve(side: 'client' | 'server'): void {
    for (const pair of this.#pairs) {
      part(pair);
      pair[side].resetAndDestroy();
    }
  }

  #join(client: Socket): void {
    const server = connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true });
    const pair: Pair = { client, server, isApart: false };
    this.#pairs.add(pair);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => undefined);
      one.once('close', () => {
        if (!pair.isApart) other.destroy();
      });
      one.pipe(other);
    }
    if (this.#isSilent) part(pair);
    const forget = (): void => {
      if (client.destroyed && server.destroyed) this.#pairs.delete(pair);
    };
    client.once('close', forget);
    server.once('close', forget);
  }

  async #close(): Promise<void> {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }
}

function part(pair: Pair): void {
  pair.isApart = true;
  pair.client.unpipe(pair.server).resume();
  pair.server.unpipe(pair.client).resume();
}
