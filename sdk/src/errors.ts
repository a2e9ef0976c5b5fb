// The one error class of Sluice and the one table of its codes. Errors are told apart by `code`,
// never by text. The manual's error page is generated from this table and a test compares both.

export interface ErrorKind {
  /** HTTP status on every edge (the request API answers 503 instead of 450). */
  readonly status: number;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retry: boolean;
  readonly description: string;
}

export type ErrorCode =
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'not_allowed'
  | 'not_acceptable'
  | 'conflict'
  | 'stale_delivery'
  | 'no_result'
  | 'ended'
  | 'gone'
  | 'too_large'
  | 'unsupported_type'
  | 'misdirected'
  | 'unprocessable'
  | 'key_reused'
  | 'rate_limited'
  | 'headers_too_large'
  | 'queue_full'
  | 'internal'
  | 'damaged'
  | 'unavailable'
  | 'outcome_unknown'
  | 'timeout'
  | 'disk_full';

export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = {
  bad_request: { status: 400, retry: false, description: 'A parameter or body is malformed.' },
  unauthorized: { status: 401, retry: false, description: 'The token is missing or wrong.' },
  forbidden: { status: 403, retry: false, description: 'The token or origin may not do this.' },
  not_found: { status: 404, retry: false, description: 'No such service, message or route.' },
  not_allowed: { status: 405, retry: false, description: 'The address knows no such method.' },
  not_acceptable: { status: 406, retry: false, description: 'No such response encoding.' },
  conflict: { status: 409, retry: false, description: 'It contradicts what exists.' },
  stale_delivery: {
    status: 409,
    retry: false,
    description: 'The delivery id is no longer current: the lease went to somebody else or ended.',
  },
  no_result: {
    status: 409,
    retry: false,
    description: 'The request failed or is dead, and the model left no result.',
  },
  ended: { status: 410, retry: false, description: 'The queue has been ended.' },
  gone: {
    status: 410,
    retry: false,
    description: 'The result is not there any more, or never will be; the text says why.',
  },
  too_large: { status: 413, retry: false, description: 'A payload is over its limit.' },
  unsupported_type: { status: 415, retry: false, description: 'The body has a wrong type.' },
  misdirected: { status: 421, retry: false, description: 'The Host header is not one of ours.' },
  unprocessable: {
    status: 422,
    retry: false,
    description: 'What was asked for is not allowed here; the message names the setting.',
  },
  key_reused: {
    status: 422,
    retry: false,
    description: 'The idempotency key was used for another body before.',
  },
  rate_limited: { status: 429, retry: true, description: 'Too many requests; come back later.' },
  headers_too_large: {
    status: 431,
    retry: false,
    description: 'The headers are over their limit.',
  },
  queue_full: { status: 450, retry: true, description: 'The queue is full; nothing changed.' },
  internal: { status: 500, retry: false, description: 'A bug in Sluice; see its log.' },
  damaged: {
    status: 500,
    retry: false,
    description: 'The disk no longer has what was stored; delete it by its index, or restore.',
  },
  unavailable: {
    status: 503,
    retry: true,
    description: 'The service is stopped, starting or recovering; nothing is known to be lost.',
  },
  outcome_unknown: {
    status: 503,
    retry: true,
    description: 'The write may or may not have happened; repeat it with the same request id.',
  },
  timeout: { status: 504, retry: true, description: 'No answer in time.' },
  disk_full: { status: 507, retry: true, description: 'The disk has no room for new messages.' },
};

export interface ErrorDetails {
  readonly cause?: unknown;
  /** When to come back, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Any failure that a caller of Sluice can see. `message` is one sentence for a person. */
export class PlatformError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'PlatformError';
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
  }

  get status(): number {
    return errorKinds[this.code].status;
  }

  get retry(): boolean {
    return errorKinds[this.code].retry;
  }
}
