// One watch of a worker over the stream protocol. Unlike a `StreamWatch` it keeps nothing: the
// worker itself knows what it still works on and says so when it opens the next one. So it is over
// as soon as its connection is lost, and the worker asks for another at once.

import { PlatformError } from '../errors.ts';
import type { Deliver, OpenWatch, ServerOperation } from '../stream/operations.ts';
import type { SessionWatch, StreamSession } from './session.ts';
import { errorOf } from './wire.ts';
import type { LeasedMessage, LeaseWatch, WorkEnd, WorkReceiver, WorkRequest } from './work.ts';

/** Closing waits no longer for a server that cannot be reached: it sees the loss itself. */
const closeMs = 5000;

export class WorkWatch implements SessionWatch, LeaseWatch {
  readonly number: number;
  readonly #session: StreamSession;
  readonly #channel: number;
  readonly #request: WorkRequest;
  readonly #receiver: WorkReceiver;
  #held: readonly number[] = [];
  #isOpen = false;
  #isOver = false;
  #opened: { resolve(watch: LeaseWatch): void; reject(error: unknown): void } | undefined;

  constructor(
    session: StreamSession,
    channel: number,
    request: WorkRequest,
    receiver: WorkReceiver,
  ) {
    this.#session = session;
    this.#channel = channel;
    this.#request = request;
    this.#receiver = receiver;
    this.number = session.number();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get held(): readonly number[] {
    return this.#held;
  }

  /** Resolves when the server has opened it; waits for a connection while there is none. `first`
   * runs before that, when anything may be said on the connection. */
  open(first: () => void): Promise<LeaseWatch> {
    return new Promise((resolve, reject) => {
      const opened = (watch: LeaseWatch): void => {
        first();
        resolve(watch);
      };
      this.#opened = { resolve: opened, reject };
      this.#session.addWatch(this);
    });
  }

  pause(): void {
    this.#session.say({ kind: 'pause', watch: this.number });
  }

  resume(): void {
    this.#session.say({ kind: 'resume', watch: this.number });
  }

  async close(how: 'cut' | 'drain' | 'dead'): Promise<void> {
    if (this.#isOver) return;
    this.#end();
    if (this.#session.isOver) return;
    const operation = {
      kind: 'unwatch',
      number: this.#session.number(),
      watch: this.number,
      how,
    } as const;
    const options = { timeoutMs: closeMs };
    await this.#session.call({ operation, repeatable: false, options, take: () => undefined });
  }

  opening(): OpenWatch {
    this.#isOpen = true;
    const { window, from, tags, id = '', holding } = this.#request;
    const { indexOnly, autoCommit, revision = 0, fetches = false } = this.#request;
    const { number } = this;
    const channel = this.#channel;
    const flags = { indexOnly, autoCommit, fetches };
    const what = { window, from, tags, id, holding, revision, ...flags };
    // Not `worker`: the leases of this one survive its connection.
    return { kind: 'watch', number, channel, worker: false, ...what };
  }

  answered(answer: ServerOperation): void {
    if (answer.kind === 'watching') {
      this.#held = answer.held;
      this.#opened?.resolve(this);
      this.#opened = undefined;
    } else if (answer.kind === 'error') {
      this.#refused(errorOf(answer));
    }
  }

  deliver(operation: Deliver, payload: Uint8Array): void {
    if (this.#isOver) return;
    const message: LeasedMessage = { ...operation, payload };
    this.#receiver.deliver(message);
  }

  voided(deliveryId: number, reason: string): void {
    if (!this.#isOver) this.#receiver.voided(deliveryId, reason);
  }

  closed(reason: string): void {
    this.#lose(endOf(reason));
  }

  lost(): void {
    // One that was never answered is asked for again on the next connection.
    this.#isOpen = false;
    if (this.#opened === undefined) this.#lose('recovering');
  }

  over(error: unknown): void {
    const closed = new PlatformError('unavailable', 'The connection is closed.');
    this.#refused(error ?? closed);
  }

  #refused(error: unknown): void {
    const opened = this.#opened;
    this.#end();
    if (opened === undefined) this.#receiver.closed('recovering');
    else opened.reject(error);
  }

  #lose(why: WorkEnd): void {
    if (this.#isOver) return;
    const opened = this.#opened;
    this.#end();
    // A watch may be closed before its answer has come.
    opened?.resolve(this);
    this.#receiver.closed(why);
  }

  #end(): void {
    this.#isOver = true;
    this.#opened = undefined;
    this.#session.removeWatch(this);
  }
}

function endOf(reason: string): WorkEnd {
  switch (reason) {
    case 'ended':
    case 'replaced':
    case 'deleted':
    case 'stopping':
      return reason;
    default:
      return 'recovering';
  }
}
