// What the load programs are asked to do and what they answer. Both ends of the channel between
// the benchmark and a load program are written against these types.

export interface Target {
  readonly url: string;
  readonly service: string;
  readonly token: string;
  readonly payloadBytes: number;
}

export type Job =
  /** POSTs over `connections` sockets, one request at a time on each. */
  | {
      readonly kind: 'post';
      readonly target: Target;
      readonly path: string;
      readonly connections: number;
      readonly seconds: number;
    }
  /** Puts over the stream protocol, `inFlight` at a time. */
  | {
      readonly kind: 'put';
      readonly target: Target;
      readonly inFlight: number;
      readonly seconds: number;
    }
  /** The same, until there are `count` more messages. */
  | {
      readonly kind: 'fill';
      readonly target: Target;
      readonly inFlight: number;
      readonly count: number;
    }
  /** Empties the queues. */
  | { readonly kind: 'empty'; readonly target: Target }
  /** Submitter and worker: `inFlight` requests under way, each until its result is here. */
  | {
      readonly kind: 'cycles';
      readonly target: Target;
      readonly inFlight: number;
      readonly seconds: number;
    }
  /** The same at a fixed rate, whatever the server does. */
  | {
      readonly kind: 'dispatch';
      readonly target: Target;
      readonly perSecond: number;
      readonly seconds: number;
    }
  /** Connects as soon as it can and waits for the first delivery. */
  | { readonly kind: 'firstDelivery'; readonly target: Target };

export interface Answer {
  /** Operations done within the time that was measured. */
  readonly done: number;
  readonly seconds: number;
  /** All operations, also those before and after that time. */
  readonly total: number;
  /** Processor time of the load program for all of them. */
  readonly cpuUs: number;
  /** Of the operations, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** `performance.timeOrigin + performance.now()` at the end. */
  readonly endedAt: number;
}

export type Reply = { readonly answer: Answer } | { readonly error: string };
