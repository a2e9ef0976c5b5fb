// All connections in the lane, where plain requests are read and answered without node:http, which
// takes more than half of a small put. Ends those that are idle or too slow.

import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { closing } from '../answer.ts';
import { type EdgeLimits, limitText } from '../limits.ts';
import { LaneConnection, type LaneHost } from './connection.ts';
import type { PlainHandler } from './plain.ts';

export interface LaneOptions {
  readonly handler: PlainHandler;
  readonly limits: EdgeLimits;
  readonly clock: Clock;
  /** Takes a connection whose next request is not plain. */
  readonly handOver: (socket: Duplex) => void;
}

const sweepEveryMs = 5_000;

export class Lane {
  readonly #options: LaneOptions;
  readonly #host: LaneHost;
  readonly #connections = new Set<LaneConnection>();
  #sweep: Timer | undefined;
  /** The header lines of the current second. */
  #lines = '';
  #second = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    const { handler, limits, clock, handOver } = options;
    this.#host = {
      handler,
      headersBytesMax: limits.headersBytesMax,
      connectionLines: (closes) => this.#connectionLines(closes),
      now: () => clock.now().mono,
      left: (connection) => this.#connections.delete(connection),
      handOver: (connection) => {
        this.#connections.delete(connection);
        handOver(connection.socket);
      },
    };
  }

  /** Serves a new connection for as long as its requests are plain. */
  take(socket: Duplex): void {
    this.#connections.add(new LaneConnection(socket, this.#host));
    this.#armSweep();
  }

  /** Ends all connections, those that wait for an answer after it. */
  closeAll(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
    for (const connection of this.#connections) connection.close();
  }

  #connectionLines(closes: boolean): string {
    const { wall } = this.#options.clock.now();
    const second = Math.floor(wall / 1000);
    if (second !== this.#second) {
      this.#second = second;
      const keepAliveS = Math.floor(this.#options.limits.keepAliveMs / 1000);
      const date = new Date(wall).toUTCString();
      const keep = `Connection: keep-alive\r\nKeep-Alive: timeout=${keepAliveS}\r\n`;
      this.#lines = `Date: ${date}\r\n${keep}`;
    }
    return closes ? closing : this.#lines;
  }

  #armSweep(): void {
    const { clock, limits } = this.#options;
    const { headersMs, keepAliveMs, requestMs, stallMs } = limits;
    const everyMs = Math.min(sweepEveryMs, headersMs, keepAliveMs, requestMs, stallMs);
    this.#sweep ??= clock.after(everyMs, () => {
      this.#sweep = undefined;
      const now = clock.now().mono;
      for (const connection of this.#connections) this.#look(connection, now);
      if (this.#connections.size > 0) this.#armSweep();
    });
  }

  #look(connection: LaneConnection, now: number): void {
    const { limits } = this.#options;
    const passed = now - connection.since(now);
    switch (connection.phase) {
      case 'serving':
        return;
      case 'idle':
        if (passed >= limits.keepAliveMs) connection.close();
        return;
      case 'answering':
        if (passed >= limits.stallMs) connection.socket.destroy();
        return;
      case 'unused':
      case 'receiving': {
        const name = connection.phase === 'unused' ? 'headersMs' : 'requestMs';
        if (passed < limits[name]) return;
        const text = `the request did not arrive in time: ${limitText(limits, name)}`;
        connection.refuse({ status: 408, text, headers: [] });
      }
    }
  }
}
