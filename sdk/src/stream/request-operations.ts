// The operations about requests under way: what a worker says of a delivery besides settling it,
// and what whoever follows a request is told. Part of the lists in operations.ts.

import type { WorkNote } from './notes.ts';

interface Call {
  readonly number: number;
  readonly channel: number;
}

export interface Progress extends Call {
  readonly kind: 'progress';
  readonly deliveryId: number;
  /** Empty with notes: the text before stays. */
  readonly text: string;
  /** The place of the first note. */
  readonly from: number;
  readonly notes: readonly WorkNote[];
}

/** Where the body of a delivery is that is not in it: in a file of the server, fetched by the
 * delivery; or at an address, fetched the same way unless the model wants the address itself. */
export type ApartBody =
  | { readonly kind: 'file'; readonly size: number }
  | { readonly kind: 'address'; readonly url: string };

/** What a consumer may ask for besides its subscription. */
export interface WatchWishes {
  /** It fetches bodies that are not in their messages. */
  readonly fetches?: boolean;
}

/** Of a large result. */
export interface CompletionFacts {
  /** The name of one that was brought up by itself; then the payload is empty. */
  readonly kept?: string;
}

/** What a consumer that fetches bodies is told with a delivery. */
export interface DeliveryFacts {
  /** Then the payload is empty. */
  readonly apart?: ApartBody;
  /** A result larger than the sink takes may be brought up by itself, named in `complete`. */
  readonly largeResult?: boolean;
}

/** Keeps a few bytes for the next delivery of the request, instead of those before. */
export interface Checkpoint extends Call {
  readonly kind: 'checkpoint';
  readonly deliveryId: number;
  /** Whole with `transfer` 0; or empty, with `size` bytes that follow as parts. */
  readonly payload: Uint8Array;
  readonly transfer: number;
  readonly size: number;
}

/** Asks for the checkpoint of a request by its index in the input. Answered like a get: by one
 * `message`, or none, and `done`. */
export interface Recall extends Call {
  readonly kind: 'recall';
  readonly index: number;
}

/** Asks for the events of a request, to its rest; `done` ends them, `cancel` gives them up. */
export interface Follow extends Call {
  readonly kind: 'follow';
  /** The public id. */
  readonly id: string;
  /** The id of the last event that the client has; empty: from the beginning. */
  readonly after: string;
  /** Most events on their way; `more` lets further ones come. */
  readonly window: number;
}

/** So many events of a `follow` have been taken. */
export interface More {
  readonly kind: 'more';
  readonly number: number;
  readonly events: number;
}

/** One event of a `follow`; `data` is JSON. */
export interface Told {
  readonly kind: 'event';
  readonly number: number;
  readonly id: string;
  readonly event: string;
  readonly data: string;
}
