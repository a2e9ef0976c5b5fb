// The server's end of the stream protocol: takes over connections to `/v1/stream` once they are
// open, and says goodbye to all of them when the server stops. docs/protocol.md tells the protocol.

import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { Connection } from '../connection.ts';
import type { Directory } from '../directory.ts';
import type { BodyHost } from '../spill.ts';
import type { Describe, WorkerDesk } from './calls.ts';
import type { StreamRequests } from './follows.ts';
import { defaultStreamLimits, type StreamLimits } from './limits.ts';
import { Sessions } from './session.ts';
import { StreamConnection, type StreamParts } from './stream-connection.ts';

export interface StreamServerOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** undefined: there is no administrator's token. */
  readonly adminToken: string | undefined;
  /** Name and version of the server, as clients are told. */
  readonly agent: string;
  /** The attributes of a queue. */
  readonly describe: Describe;
  /** undefined: no worker of another machine can join. */
  readonly workers?: WorkerDesk | undefined;
  /** undefined: nobody follows requests. */
  readonly requests?: StreamRequests | undefined;
  /** undefined: no results are kept apart from the sink. */
  readonly store?: BodyHost | undefined;
  readonly limits?: Partial<StreamLimits>;
}

export class StreamServer {
  readonly #parts: StreamParts;
  readonly #open = new Set<StreamConnection>();

  constructor(options: StreamServerOptions) {
    const limits = { ...defaultStreamLimits, ...options.limits };
    const sessions = new Sessions(options.clock, options.random, limits);
    this.#parts = { ...options, limits, sessions, transfers: { bytes: 0 } };
  }

  /** Open connections now. */
  get connections(): number {
    return this.#open.size;
  }

  /** Speaks the protocol on a connection, from its hello to its end. */
  accept(connection: Connection): void {
    const stream = new StreamConnection(connection, this.#parts);
    this.#open.add(stream);
    connection.onClose(() => this.#open.delete(stream));
  }

  /**
   * Tells every client that the server is about to stop: nothing more is delivered, what is held
   * may be finished until `close`. Clients come back after `retryAfterMs`.
   */
  goodbye(reason: string, retryAfterMs: number): void {
    for (const stream of this.#open) stream.goodbye(reason, retryAfterMs);
  }

  /** Closes every connection; leases stay for the time that the queues keep them. */
  close(): void {
    for (const stream of [...this.#open]) stream.close(1001, 'server is stopping');
    this.#open.clear();
  }
}
