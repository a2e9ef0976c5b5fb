// One connection of the stream protocol: the hello, then operations until it is lost or left. It
// decides what is allowed and who handles it; payloads in parts are put together here.

import {
  type Abandon,
  Assembler,
  type ClientOperation,
  clientCodec,
  type Hello,
  type Open,
  type Part,
  PlatformError,
  streamVersion,
} from '@sluice/sdk/wire';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { Connection } from '../connection.ts';
import type { Directory } from '../directory.ts';
import type { BodyHost } from '../spill.ts';
import { checkHello, checkOpen, checkSize } from './bounds.ts';
import { type Describe, filterOf, type Place, type WorkerDesk } from './calls.ts';
import { Channel } from './channel.ts';
import { Follows, type StreamRequests } from './follows.ts';
import { Gets } from './gets.ts';
import { type StreamLimits, streamLimitText } from './limits.ts';
import { Link } from './link.ts';
import {
  isCall,
  isSized,
  needs,
  type PlainCall,
  runCall,
  runSized,
  type SizedCall,
} from './routes.ts';
import type { Session, Sessions } from './session.ts';
import { Watches } from './watches.ts';

export interface StreamParts {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The administrator's token may do everything here, too. */
  readonly adminToken: string | undefined;
  readonly limits: StreamLimits;
  readonly sessions: Sessions;
  /** Bytes of the payloads that arrive in parts now, on every connection. */
  readonly transfers: { bytes: number };
  /** Name and version of the server. */
  readonly agent: string;
  readonly describe: Describe;
  /** undefined: no worker of another machine can join. */
  readonly workers?: WorkerDesk | undefined;
  /** undefined: nobody follows requests. */
  readonly requests?: StreamRequests | undefined;
  /** undefined: no results are kept apart from the sink. */
  readonly store?: BodyHost | undefined;
}

export class StreamConnection {
  readonly #parts: StreamParts;
  readonly #link: Link;
  readonly #gets: Gets;
  readonly #watches: Watches;
  readonly #follows: Follows;
  readonly #assembler: Assembler<SizedCall>;
  readonly #channels = new Map<number, Channel>();
  /** Of the last call on each channel: most are good for the next one. */
  readonly #places = new Map<Channel, Place>();
  readonly #helloTimer: Timer;
  #hello: Hello | undefined;
  #session: Session | undefined;
  /** Numbers the WebSocket messages: channels ask the directory once for each. */
  #message = 0;
  #refusedOpens = 0;
  /** Its share of `transfers`. */
  #transferBytes = 0;
  #left = false;

  constructor(connection: Connection, parts: StreamParts) {
    this.#parts = parts;
    const { clock, log, limits } = parts;
    this.#link = new Link({ connection, clock, log, limits });
    this.#gets = new Gets(this.#link, clock);
    this.#watches = new Watches(this.#link, log);
    this.#follows = new Follows(this.#link);
    this.#assembler = new Assembler(limits.creditBytes, (bytes) =>
      this.#link.say({ kind: 'credit', bytes }),
    );
    this.#helloTimer = clock.after(limits.helloMs, () => {
      const text = `no hello within ${streamLimitText(limits, 'helloMs')}`;
      this.#fail(4408, new PlatformError('timeout', text));
    });
    connection.onMessage((bytes) => this.#received(bytes));
    connection.onClose(() => this.#lost());
  }

  /** Tells the client that the server is about to stop; deliveries end, what is held goes on. */
  goodbye(reason: string, retryAfterMs: number): void {
    this.#watches.pauseAll();
    this.#link.say({ kind: 'goodbye', reason, retryAfterMs });
  }

  close(code: number, reason: string): void {
    this.#link.close(code, reason);
    this.#lost();
  }

  #received(bytes: Uint8Array): void {
    if (this.#link.closed) return;
    this.#message += 1;
    try {
      for (const operation of clientCodec.read(bytes)) {
        this.#handle(operation);
        if (this.#link.closed) return;
      }
    } catch (error) {
      if (!(error instanceof PlatformError)) this.#parts.log.error({ err: error }, 'stream failed');
      this.#fail(4400, error);
    }
  }

  /** What throws here breaks the protocol and ends the connection. */
  #handle(operation: ClientOperation): void {
    if (this.#hello === undefined) {
      if (operation.kind !== 'hello') throw new PlatformError('bad_request', 'hello comes first');
      this.#greet(operation);
    } else if (isSized(operation)) {
      this.#sized(operation);
    } else if (isCall(operation)) {
      this.#call(operation);
    } else {
      this.#manage(operation);
    }
  }

  /** Everything that concerns the connection itself or something that has begun. */
  #manage(operation: Exclude<ClientOperation, PlainCall | SizedCall>): void {
    switch (operation.kind) {
      case 'part':
        this.#part(operation);
        break;
      case 'abandon':
        this.#abandon(operation);
        break;
      case 'credit':
        this.#link.granted(operation.bytes);
        break;
      case 'taken':
        this.#gets.taken(operation.number);
        break;
      case 'cancel':
        this.#gets.cancel(operation.number);
        this.#follows.cancel(operation.number);
        break;
      case 'more':
        this.#follows.more(operation.number, operation.events);
        break;
      case 'freed':
        this.#freed(operation.channel, operation.deliveryId);
        break;
      case 'pause':
        this.#watches.pause(operation.watch);
        break;
      case 'resume':
        this.#watches.resume(operation.watch);
        break;
      case 'unwatch':
        void this.#watches.close(operation).then(() => this.#done(operation.number));
        break;
      case 'open':
        this.#open(operation);
        break;
      case 'ping':
        this.#done(operation.number);
        break;
      case 'leave':
        this.#leave();
        break;
      case 'hello':
        throw new PlatformError('bad_request', 'hello comes once');
    }
  }

  #greet(hello: Hello): void {
    const { limits, sessions, random, agent } = this.#parts;
    this.#helloTimer.cancel();
    if (hello.version !== streamVersion) {
      const text = `version ${hello.version} is not spoken here, version ${streamVersion} is`;
      this.#fail(4400, new PlatformError('bad_request', text));
      return;
    }
    checkHello(hello, limits);
    const uid = hello.uid === '' ? random.id() : hello.uid;
    const gid = hello.gid === '' ? 'eas' : hello.gid;
    this.#hello = { ...hello, uid, gid };
    const session = sessions.attach(hello.resume, uid, hello.token);
    session.detach = () => this.close(4409, 'the session goes on elsewhere');
    this.#session = session;
    this.#link.granted(hello.credit);
    this.#link.say({
      kind: 'welcome',
      version: streamVersion,
      session: session.id,
      operationsMax: limits.operationsMax,
      bytesMax: limits.bytesMax,
      watchesMax: limits.watchesMax,
      credit: limits.creditBytes,
      agent,
    });
  }

  #open(operation: Open): void {
    const hello = this.#hello;
    if (hello === undefined) return;
    const { directory, adminToken, limits } = this.#parts;
    if (this.#channels.has(operation.number)) {
      throw new PlatformError('bad_request', `channel ${operation.number} is open`);
    }
    if (this.#channels.size >= limits.channelsMax) {
      const text = `too many queues on this connection: ${streamLimitText(limits, 'channelsMax')}`;
      this.#link.refuse(operation.number, new PlatformError('rate_limited', text));
      return;
    }
    checkOpen(operation, limits);
    const channel = new Channel({
      directory,
      service: operation.service,
      queue: operation.queue,
      by: { gid: operation.gid || hello.gid, uid: operation.uid || hello.uid },
      token: hello.token,
      adminToken,
    });
    // Kept also when it is refused: what is called on it is then refused for the same reason.
    this.#channels.set(operation.number, channel);
    try {
      channel.refresh(this.#message);
      if (this.#session !== undefined) this.#session.isTrusted = true;
      this.#link.say({ kind: 'done', number: operation.number });
    } catch (error) {
      this.#link.refuse(operation.number, error);
      this.#countRefused(error);
    }
  }

  /** Guessing tokens must cost a connection every few tries. */
  #countRefused(error: unknown): void {
    if (!(error instanceof PlatformError) || error.code !== 'unauthorized') return;
    this.#refusedOpens += 1;
    const { limits } = this.#parts;
    if (this.#refusedOpens < limits.refusedOpensMax) return;
    this.#fail(4401, error);
  }

  /** Runs one call; what throws in it is its answer. */
  #call(call: PlainCall): void {
    const link = this.#link;
    try {
      link.begin(call);
    } catch (error) {
      link.refuse(call.number, error);
      return;
    }
    try {
      runCall(this.#place(call), call);
    } catch (error) {
      link.fail(call, error);
    }
  }

  /** A call that brings a payload: whole, or announced as a transfer. */
  #sized(call: SizedCall): void {
    const link = this.#link;
    const inParts = call.transfer !== 0;
    try {
      link.begin(call);
    } catch (error) {
      if (inParts) this.#assembler.refuse(call);
      link.refuse(call.number, error);
      return;
    }
    try {
      const place = this.#place(call);
      if (inParts) this.#admit(place, call);
      else runSized(place, call, call.payload);
    } catch (error) {
      if (inParts) this.#assembler.refuse(call);
      link.fail(call, error);
      return;
    }
    if (inParts) this.#assembler.begin(call);
  }

  /** Its whole room is taken at once, so it has to be there. */
  #admit(place: Place, call: SizedCall): void {
    const { limits, transfers } = this.#parts;
    checkSize(place, call);
    if (transfers.bytes + call.size > limits.transferBytesMax) {
      const text = `too much arrives in parts: ${streamLimitText(limits, 'transferBytesMax')}`;
      throw new PlatformError('rate_limited', text, { retryAfterMs: 1000 });
    }
    transfers.bytes += call.size;
    this.#transferBytes += call.size;
  }

  #transferEnded(): void {
    this.#parts.transfers.bytes -= this.#transferBytes;
    this.#transferBytes = 0;
  }

  #part(part: Part): void {
    const whole = this.#assembler.part(part);
    if (whole === undefined) return;
    this.#transferEnded();
    try {
      runSized(this.#place(whole.operation), whole.operation, whole.payload);
    } catch (error) {
      this.#link.fail(whole.operation, error);
    }
  }

  #abandon(abandon: Abandon): void {
    const dropped = this.#assembler.abandon(abandon);
    if (dropped === undefined) return;
    this.#transferEnded();
    this.#link.drop(dropped);
  }

  #place(call: PlainCall | SizedCall): Place {
    const channel = this.#channels.get(call.channel);
    const session = this.#session;
    if (channel === undefined || session === undefined) {
      throw new PlatformError('bad_request', `channel ${call.channel} is not open`);
    }
    const id = call.kind === 'get' ? filterOf(call).id : undefined;
    const queues = channel.use(needs[call.kind], this.#message, id);
    const known = this.#places.get(channel);
    if (known?.queues === queues) return known;
    const { describe, workers, requests, store } = this.#parts;
    const place: Place = {
      link: this.#link,
      session,
      channel,
      queues,
      gets: this.#gets,
      watches: this.#watches,
      follows: this.#follows,
      requests,
      describe,
      workers,
      store,
    };
    this.#places.set(channel, place);
    return place;
  }

  #done(number: number): void {
    this.#link.say({ kind: 'done', number });
  }

  #freed(number: number, deliveryId: number): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    try {
      channel.use(needs.complete, this.#message, undefined).freed(channel.queue, deliveryId);
    } catch (error) {
      this.#parts.log.debug({ err: error }, 'freed was refused');
    }
  }

  #leave(): void {
    this.#left = true;
    void this.#watches.closeAll('drain').then(() => this.close(1000, 'goodbye'));
  }

  #fail(code: number, error: unknown): void {
    this.#link.refuse(0, error);
    this.close(code, error instanceof Error ? error.message : 'failed');
  }

  /** Safe to call twice. */
  #lost(): void {
    this.#helloTimer.cancel();
    this.#transferEnded();
    this.#link.lost();
    this.#gets.close();
    this.#follows.close();
    void this.#watches.closeAll('cut');
    const joined = this.#parts.workers?.joined;
    if (this.#left) joined?.left(this.#link);
    else joined?.lost(this.#link);
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    if (this.#left) this.#parts.sessions.end(session);
    else this.#parts.sessions.lose(session);
  }
}
