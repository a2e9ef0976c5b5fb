// One HTTP exchange on one connection: collects the answer up to a limit, passes on what is
// streamed of it as it comes, and says how it ended. Whether a failure means refused, cut or a
// stale connection follows from two facts it notes: was there a connection at all, and did any byte
// come back on it.

import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { Clock } from '../kernel/clock.ts';
import { bodyFailure, type KeptResult, ResultFile, type ResultKeeper } from './body.ts';
import { holdSocket } from './held-socket.ts';
import type { CallOptions, ModelAnswer, ModelResult } from './model.ts';

/** `stale`: a reused connection was closed before the first byte of an answer. */
export type ExchangeEnd = ModelResult | { readonly kind: 'stale' };

/** An answer of unknown length over the limit is read on up to here, to name its size. */
const countedBytesMax = 64 * 2 ** 20;

/** Streams by their type, also when their length is announced or they are there at once. */
const streamed = /^(text\/event-stream|application\/(x-ndjson|jsonl|json-seq))\b/i;

/** The socket of a connection as it is now; undefined: none, or destroyed. */
export type CurrentSocket = () => Socket | undefined;

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: CallOptions;
  readonly #clock: Clock;
  readonly #socket: CurrentSocket;
  readonly #before: Socket | undefined;
  readonly #bytesBefore: number;
  readonly #finish: (end: ExchangeEnd) => void;
  #sent = false;
  #status = 0;
  #statusText = '';
  #contentType: string | undefined;
  #retryAfter: string | undefined;
  #declared: number | undefined;
  #pieces: Uint8Array[] = [];
  #size = 0;
  #firstOutputAt = 0;
  #ended = false;
  /** Whether pieces are passed on: not, at once, or once it is seen that the body goes on. */
  #passes: 'no' | 'later' | 'now' = 'no';
  #held: Uint8Array[] | undefined;
  /** Where the body goes once it is too large for memory. */
  #file: ResultFile | undefined;
  /** While the file takes no more: lets the connection be read again. */
  #letGo: (() => void) | undefined;

  constructor(
    options: CallOptions,
    clock: Clock,
    socket: CurrentSocket,
    finish: (end: ExchangeEnd) => void,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#socket = socket;
    this.#before = socket();
    this.#bytesBefore = this.#before?.bytesRead ?? 0;
    this.#finish = finish;
  }

  onRequestStart(): void {
    this.#sent = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    statusText?: string,
  ): void {
    // Interim answers (100, 103) come before the one that counts.
    if (status < 200) return;
    this.#status = status;
    this.#statusText = statusText ?? '';
    this.#contentType = single(headers['content-type']);
    this.#retryAfter = single(headers['retry-after']);
    this.#firstOutputAt = this.#clock.now().wall;
    const length = Number(single(headers['content-length']) ?? Number.NaN);
    const isAnnounced = Number.isSafeInteger(length);
    if (this.#options.onOutput !== undefined && status < 300) {
      if (streamed.test(this.#contentType ?? '')) this.#passes = 'now';
      else if (!isAnnounced) this.#passes = 'later';
    }
    if (!isAnnounced) return;
    this.#declared = length;
    // Its size is known already: nothing is won by reading it.
    if (length > Math.max(this.#options.answerBytesMax, this.#keeper?.bytesMax ?? 0)) {
      this.#size = length;
      this.#end(this.#answer(undefined, true));
      controller.abort(new Error('the answer is over the limit'));
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    if (this.#ended) return;
    if (this.#size === 0) this.#firstOutputAt = this.#clock.now().wall;
    this.#size += piece.byteLength;
    if (this.#size <= this.#options.answerBytesMax) {
      this.#pieces.push(piece);
      if (this.#passes !== 'no') this.#pass(piece);
      return;
    }
    const keeper = this.#keeper;
    if (keeper !== undefined && this.#size <= keeper.bytesMax) {
      this.#keep(keeper, piece);
      return;
    }
    this.#file?.giveUp();
    this.#file = undefined;
    this.#held = undefined;
    this.#pieces = [];
    if (this.#size > Math.max(countedBytesMax, this.#options.answerBytesMax)) {
      this.#end(this.#answer(undefined, false));
      controller.abort(new Error('the answer is over the limit'));
    }
  }

  onResponseEnd(): void {
    const file = this.#file;
    this.#file = undefined;
    // The connection may be used again at once.
    this.#readOn();
    if (file !== undefined) {
      file.end().then(
        (kept) => this.#end(this.#answer(undefined, true, kept), () => kept.done()),
        (error: unknown) => this.#end(bodyFailure(error)),
      );
      return;
    }
    const whole = this.#size <= this.#options.answerBytesMax;
    this.#end(this.#answer(whole ? Buffer.concat(this.#pieces, this.#size) : undefined, true));
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end(this.#failure(error));
  }

  get #keeper(): ResultKeeper | undefined {
    return this.#status < 300 ? this.#options.keeper : undefined;
  }

  #keep(keeper: ResultKeeper, piece: Uint8Array): void {
    if (this.#file === undefined) {
      this.#file = new ResultFile(keeper);
      for (const before of this.#pieces.splice(0)) this.#file.write(before, () => undefined);
    }
    if (!this.#file.write(piece, () => this.#readOn())) this.#hold();
    if (this.#passes !== 'no') this.#pass(piece);
  }

  #hold(): void {
    const socket = this.#socket();
    if (socket !== undefined) this.#letGo ??= holdSocket(socket, this.#clock);
  }

  #readOn(): void {
    this.#letGo?.();
    this.#letGo = undefined;
  }

  /** Many servers send short answers in chunks, and the end together with the only piece: such a
   * body is over before the turn is, and is no stream. */
  #pass(piece: Uint8Array): void {
    if (this.#passes === 'now') {
      this.#options.onOutput?.(this.#contentType, piece);
      return;
    }
    if (this.#held !== undefined) {
      this.#held.push(piece);
      return;
    }
    this.#held = [piece];
    this.#clock.defer(() => {
      const held = this.#held;
      this.#held = undefined;
      if (this.#ended || held === undefined) return;
      this.#passes = 'now';
      for (const each of held) this.#options.onOutput?.(this.#contentType, each);
    });
  }

  #answer(body: Uint8Array | undefined, sizeKnown: boolean, kept?: KeptResult): ModelAnswer {
    return {
      ...(kept === undefined ? {} : { kept }),
      kind: 'answer',
      status: this.#status,
      statusText: this.#statusText,
      contentType: this.#contentType,
      retryAfter: this.#retryAfter,
      body,
      size: this.#size,
      sizeKnown,
      firstOutputAt: this.#firstOutputAt,
    };
  }

  #failure(error: Error): ExchangeEnd {
    if (this.#options.signal.aborted) return { kind: 'aborted', sent: this.#sent };
    const why = causeText(error);
    if (codeOf(error) === 'UND_ERR_INVALID_ARG') {
      return { kind: 'unsendable', reason: `the request cannot be sent: ${why}` };
    }
    if (!this.#sent) {
      return { kind: 'refused', reason: `no connection to the model: ${why}`, retried: false };
    }
    if (this.#status > 0) {
      const of = this.#declared === undefined ? '' : ` of ${this.#declared}`;
      return { kind: 'cut', reason: `the answer was cut after ${this.#size}${of} bytes: ${why}` };
    }
    const before = this.#before;
    const reused = before !== undefined && this.#socket() === before;
    if (reused && before.bytesRead === this.#bytesBefore) return { kind: 'stale' };
    return { kind: 'cut', reason: `the connection was cut before an answer: ${why}` };
  }

  /** `tooLate` is called when it had ended before. */
  #end(end: ExchangeEnd, tooLate: () => void = () => undefined): void {
    if (this.#ended) {
      tooLate();
      return;
    }
    this.#ended = true;
    this.#readOn();
    this.#file?.giveUp();
    this.#file = undefined;
    this.#pieces = [];
    this.#held = undefined;
    this.#finish(end);
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

// Several addresses of one name fail as an AggregateError, whose own message is empty.
function causeText(error: Error): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  const text = inner instanceof Error ? inner.message : String(inner);
  return text === '' ? (codeOf(error) ?? error.name) : text;
}
