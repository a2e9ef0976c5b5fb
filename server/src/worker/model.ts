// What a worker asks of a model server and what can become of it. What the model answered is data,
// never an exception; `outcome.ts` says what it means for the request.

import type { BodyFailure, KeptResult, ResultKeeper, StreamedBody } from './body.ts';

export interface ModelRequest {
  readonly method: string;
  /** Path and query, as it goes on the wire. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | StreamedBody;
}

export interface ModelAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly statusText: string;
  readonly contentType: string | undefined;
  readonly retryAfter: string | undefined;
  /** undefined: it was larger than the limit and was thrown away. */
  readonly body: Uint8Array | undefined;
  /** Set instead when it went into a file. */
  readonly kept?: KeptResult;
  /** Bytes of the body; with `sizeKnown` false it has at least so many. */
  readonly size: number;
  readonly sizeKnown: boolean;
  /** Wall clock of the first byte of the body, or of the headers when there is none. */
  readonly firstOutputAt: number;
}

export type ModelResult =
  | ModelAnswer
  /** No connection came about. `retried`: a reused one was closed just before, so the model may
   * have seen the request there; else it has seen nothing of it. */
  | { readonly kind: 'refused'; readonly reason: string; readonly retried: boolean }
  /** The connection ended before the whole answer was there. */
  | { readonly kind: 'cut'; readonly reason: string }
  /** The caller's signal ended it. `sent`: the model may have seen the request. */
  | { readonly kind: 'aborted'; readonly sent: boolean }
  /** Its body could not be brought, or its result not be kept. */
  | BodyFailure
  /** It cannot be sent as HTTP at all. */
  | { readonly kind: 'unsendable'; readonly reason: string };

export interface CallOptions {
  readonly signal: AbortSignal;
  /** A larger body is kept elsewhere if it may be, else counted and thrown away. */
  readonly answerBytesMax: number;
  /** Takes the larger body of a success; undefined: none. */
  readonly keeper?: ResultKeeper | undefined;
  /** Called for each piece of a successful body that is streamed, as it comes. A body whose length
   * was announced, or that is there whole at once, is no stream. */
  readonly onOutput?: (contentType: string | undefined, piece: Uint8Array) => void;
}

export interface ModelClient {
  /** Never throws: every way a call can end is a result. */
  call(request: ModelRequest, options: CallOptions): Promise<ModelResult>;
  /** Closes all connections; calls under way end as cut. */
  close(): Promise<void>;
}
