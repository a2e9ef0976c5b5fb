// One connection in the lane: plain requests, one after another, read from its socket and answered
// on it. The first request that is anything else goes, with the connection, to node:http.

import type { Duplex } from 'node:stream';
import { answerMessage, refuseSocket, type TextAnswer } from '../answer.ts';
import { type PlainHead, readHead } from './head.ts';
import type { PlainHandler, PlainServe } from './plain.ts';

/** What a connection in the lane needs of the lane. */
export interface LaneHost {
  readonly handler: PlainHandler;
  readonly headersBytesMax: number;
  /** The lines of an answer that belong to its connection. */
  connectionLines(closes: boolean): string;
  /** Monotonic milliseconds. */
  now(): number;
  /** The connection goes to node:http, with what was not read here waiting in it. */
  handOver(connection: LaneConnection): void;
  /** The connection is closed. */
  left(connection: LaneConnection): void;
}

/** What a connection does, which says how long it may do nothing else. */
export type LanePhase = 'unused' | 'idle' | 'receiving' | 'serving' | 'answering';

/** A request of which not all of the body has come. */
interface Arriving {
  readonly head: PlainHead;
  readonly serve: PlainServe;
  /** Head and body; many tiny chunks would take a hundred times their size. */
  readonly whole: Buffer;
  received: number;
}

export class LaneConnection {
  readonly socket: Duplex;
  readonly #host: LaneHost;
  #phase: LanePhase = 'unused';
  /** Since when; of `idle` it is found out by `idleSince`. */
  #since: number | undefined;
  #last: PlainHead | undefined;
  #arriving: Arriving | undefined;
  /** Read while a request is served: the client does not wait for answers. */
  #ahead: Buffer[] = [];
  #isEnding = false;
  /** The client has ended its side: what is not here will not come. */
  #hasAll = false;

  constructor(socket: Duplex, host: LaneHost) {
    this.socket = socket;
    this.#host = host;
    this.#since = host.now();
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
  }

  get phase(): LanePhase {
    return this.#phase;
  }

  /**
   * Since when the connection is in its phase. So that no request has to look at the clock, an idle
   * or answering one is so since it was first asked.
   */
  since(now: number): number {
    this.#since ??= now;
    return this.#since;
  }

  /** Ends the connection: now, or after the answer that is on its way. */
  close(): void {
    this.#isEnding = true;
    if (this.#phase === 'idle' || this.#phase === 'unused') this.socket.destroy();
  }

  /** Says why before it ends the connection. */
  refuse(refusal: TextAnswer): void {
    refuseSocket(this.socket, refusal);
  }

  readonly #onData = (chunk: Buffer): void => {
    // What comes after the last answer is nobody's.
    if (this.socket.writableEnded) return;
    if (this.#phase === 'serving' || this.#phase === 'answering') {
      this.#ahead.push(chunk);
      this.socket.pause();
      return;
    }
    const arriving = this.#arriving;
    if (arriving === undefined) {
      this.#begin(chunk);
      return;
    }
    const { head, serve, whole, received } = arriving;
    whole.set(chunk.subarray(0, whole.length - received), received);
    arriving.received += chunk.length;
    const more = arriving.received - whole.length;
    if (more < 0) return;
    this.#forgetArriving();
    if (more > 0) {
      this.#ahead.push(chunk.subarray(chunk.length - more));
      this.socket.pause();
    }
    this.#serve(head, serve, whole);
  };

  /** `bytes` begin a new request. */
  #begin(bytes: Buffer): void {
    const { handler, headersBytesMax, now } = this.#host;
    const head = readHead(bytes, headersBytesMax, this.#last);
    const serve = head === undefined ? undefined : handler.admit(head);
    if (head === undefined || serve === undefined) {
      this.#handOver(bytes);
      return;
    }
    this.#last = head;
    if (bytes.length >= bytesOf(head)) {
      this.#serve(head, serve, bytes);
    } else if (handler.bodies.reserve(head.bodyBytes)) {
      this.#phase = 'receiving';
      this.#since = now();
      const whole = Buffer.allocUnsafe(bytesOf(head));
      whole.set(bytes);
      this.#arriving = { head, serve, whole, received: bytes.length };
    } else {
      this.#handOver(bytes);
    }
  }

  #serve(head: PlainHead, serve: PlainServe, bytes: Buffer): void {
    const end = bytesOf(head);
    if (bytes.length > end) {
      this.#ahead.push(bytes.subarray(end));
      this.socket.pause();
    }
    this.#phase = 'serving';
    serve(bytes.subarray(head.text.length, end), this.#answer);
  }

  readonly #answer = (answer: TextAnswer): void => {
    const { socket } = this;
    if (socket.destroyed) return;
    const closes = this.#isEnding && this.#ahead.length === 0;
    const message = answerMessage(answer, this.#host.connectionLines(closes));
    // Whoever does not read what was answered is not asked for more.
    const isTaken = socket.write(message, 'latin1');
    if (isTaken || closes) {
      this.#answered();
    } else {
      this.#phase = 'answering';
      this.#since = undefined;
      socket.once('drain', this.#answered);
    }
  };

  readonly #answered = (): void => {
    this.#phase = 'idle';
    this.#since = undefined;
    const { socket } = this;
    const ahead = this.#ahead;
    const [first] = ahead;
    if (first !== undefined) {
      this.#ahead = [];
      this.#begin(ahead.length === 1 ? first : Buffer.concat(ahead));
      // As long as there is a request to serve, more would only pile up behind it.
      if (this.phase !== 'receiving') return;
      if (this.#hasAll) socket.end();
    } else if (this.#isEnding) {
      socket.end();
    }
    if (socket.isPaused()) socket.resume();
  };

  /** Nothing more will come. */
  readonly #onEnd = (): void => {
    this.#isEnding = true;
    this.#hasAll = true;
    if (this.#phase !== 'serving' && this.#phase !== 'answering') this.socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#forgetArriving();
    this.#host.left(this);
  };

  #forgetArriving(): void {
    if (this.#arriving === undefined) return;
    this.#host.handler.bodies.release(this.#arriving.head.bodyBytes);
    this.#arriving = undefined;
  }

  #handOver(unread: Buffer): void {
    const { socket } = this;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', ignore);
    socket.off('close', this.#onClose);
    socket.unshift(unread);
    socket.resume();
    this.#host.handOver(this);
  }
}

function bytesOf(head: PlainHead): number {
  return head.text.length + head.bodyBytes;
}

function ignore(): void {}
