// The limits of the stream protocol on the server's side, by name. A refusal says which one was
// met and its value, in the words of this table.

export interface StreamLimits {
  /** From the opening of the connection to its hello. */
  readonly helloMs: number;
  /** Operations of one connection that are not answered yet. */
  readonly operationsMax: number;
  /** Their payload bytes; one operation alone may have more. */
  readonly bytesMax: number;
  /** Queues that one connection may name. */
  readonly channelsMax: number;
  readonly watchesMax: number;
  /** Bytes of parts that may be on their way to the server. */
  readonly creditBytes: number;
  /** Payloads that arrive in parts, all connections together: their room is taken at once. */
  readonly transferBytesMax: number;
  /** Above this nothing bulky is handed to the socket until it has drained. */
  readonly bufferedBytes: number;
  /** Answers that the client does not read; above this its connection is closed. */
  readonly unreadBytesMax: number;
  /** How long the messages of a get stay hidden until the client says that it has them. */
  readonly takenMs: number;
  /** A longer poll waits this long. */
  readonly pollMs: number;
  /** How long the answers of a lost connection are remembered. */
  readonly sessionMs: number;
  /** Lost sessions that are remembered. */
  readonly sessionsMax: number;
  /** Wrong tokens before a connection is closed. */
  readonly refusedOpensMax: number;
  /** Bytes of a user id, a group id, a token, a service's name. */
  readonly nameBytesMax: number;
  /** Bytes of a progress text. */
  readonly progressBytesMax: number;
}

export type StreamLimitName = keyof StreamLimits;

export const defaultStreamLimits: StreamLimits = {
  helloMs: 5000,
  operationsMax: 4096,
  bytesMax: 16 * 2 ** 20,
  channelsMax: 256,
  watchesMax: 256,
  creditBytes: 4 * 2 ** 20,
  transferBytesMax: 512 * 2 ** 20,
  bufferedBytes: 2 ** 20,
  unreadBytesMax: 64 * 2 ** 20,
  takenMs: 30_000,
  pollMs: 600_000,
  sessionMs: 60_000,
  sessionsMax: 10_000,
  refusedOpensMax: 5,
  nameBytesMax: 1024,
  progressBytesMax: 4096,
};

/** What the protocol itself says; nothing sets it. */
const fixed: ReadonlySet<StreamLimitName> = new Set(['nameBytesMax', 'progressBytesMax']);

/** How a refusal names a limit: `stream.watchesMax = 256 (sluice serve --limit)`. */
export function streamLimitText(limits: StreamLimits, name: StreamLimitName): string {
  const setting = fixed.has(name) ? '' : ' (sluice serve --limit)';
  return `stream.${name} = ${limits[name]}${setting}`;
}
