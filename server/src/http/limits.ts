// The limits of the edge, by name. A refusal says which limit was met, its value and what sets it,
// in the words of this table; which may be set says limit-table.ts. The settings that belong to a
// service (payload, capacity) are stated where they are checked.

export interface EdgeLimits {
  /** Request line and headers together. */
  readonly headersBytesMax: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestMs: number;
  /** How long a connection stays open between two requests. Longer than any client's pool keeps
   * one (60 s), or the server would close a connection just as it is used again. */
  readonly keepAliveMs: number;
  readonly connectionsMax: number;
  /** Requests that a client may send ahead on one connection; it is cut at one more. They can't be
   * refused one by one, because answers come in the order of requests. */
  readonly pipelinedMax: number;
  /** Long polls that wait at the same time. */
  readonly pollsMax: number;
  readonly watchesMax: number;
  /** A longer `_timeout_` waits this long. */
  readonly pollMs: number;
  /** Bodies in the course of being received, all connections together. */
  readonly bodiesBytesMax: number;
  /** Form body of a negative commit. */
  readonly formBytesMax: number;
  /** Rest of a refused body that is read away, so that the client gets to see the refusal. */
  readonly discardBytesMax: number;
  /** How long an answer may stand still before its connection is cut. */
  readonly stallMs: number;
  /** Largest incoming message of the stream protocol. */
  readonly streamMessageBytesMax: number;
  /** Time between two pings on a WebSocket. */
  readonly pingMs: number;
  /** A WebSocket that sent nothing at all for this long is dropped. */
  readonly silenceMs: number;
  /** How long a stop waits for running answers. */
  readonly stopMs: number;
  /** How long a busy port is tried again. */
  readonly bindRetryMs: number;
}

export type EdgeLimitName = keyof EdgeLimits;

export const defaultEdgeLimits: EdgeLimits = {
  headersBytesMax: 64 * 1024,
  headersMs: 30_000,
  requestMs: 300_000,
  keepAliveMs: 75_000,
  connectionsMax: 20_000,
  pipelinedMax: 4096,
  pollsMax: 20_000,
  watchesMax: 10_000,
  pollMs: 600_000,
  bodiesBytesMax: 512 * 2 ** 20,
  formBytesMax: 64 * 1024,
  discardBytesMax: 32 * 2 ** 20,
  stallMs: 60_000,
  streamMessageBytesMax: 2 ** 20,
  pingMs: 15_000,
  silenceMs: 45_000,
  stopMs: 10_000,
  bindRetryMs: 10_000,
};

/** How a refusal names a limit: `http.pollsMax = 20000 (sluice serve --limit)`. */
export function limitText(limits: EdgeLimits, name: EdgeLimitName): string {
  return `http.${name} = ${limits[name]} (sluice serve --limit)`;
}
