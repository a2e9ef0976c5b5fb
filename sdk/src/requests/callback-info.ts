// The JSON about callbacks: what was tried for one request, and what a service signs with. Times
// are RFC 3339 in UTC; null = none.

/** What became of one attempt to deliver a callback. */
export const callbackOutcomes = ['delivered', 'failed', 'givenUp', 'closed'] as const;

/**
 * `failed`: it is tried again at `nextAt`. `givenUp`: that was the last attempt. `closed`: the
 * address answered 410, now or earlier, and gets no more callbacks of the service.
 */
export type CallbackOutcome = (typeof callbackOutcomes)[number];

export interface CallbackAttempt {
  /** From 1. */
  readonly attempt: number;
  readonly at: string;
  /** What was told: `request.succeeded` and the like. */
  readonly event: string;
  readonly url: string;
  /** What the receiver answered; null = nothing. */
  readonly status: number | null;
  /** Why it was not delivered; empty when it was. */
  readonly error: string;
  readonly durationMs: number;
  readonly outcome: CallbackOutcome;
  readonly nextAt: string | null;
  /** It was asked for by hand. */
  readonly replay: boolean;
}

/** The callback of one request. */
export interface RequestCallbacks {
  /** null = the request asked for none. */
  readonly url: string | null;
  /** The ends that are told; empty = every one. */
  readonly events: readonly string[];
  /** Whether it is still to be delivered. */
  readonly pending: boolean;
  /** The latest last; older ones than the log keeps are left out. */
  readonly attempts: readonly CallbackAttempt[];
}

export interface WebhookKeys {
  /** Shared with receivers: verifies `v1` signatures. */
  readonly secret: string;
  /** May be given to anybody: verifies `v1a` signatures. */
  readonly publicKey: string;
  readonly createdAt: string;
  /** Until then it signs beside the newest; null = it is the newest. */
  readonly until: string | null;
}

/** What a service's callbacks are signed with, and how they fare. */
export interface ServiceWebhooks {
  readonly service: string;
  /** The newest first. */
  readonly keys: readonly WebhookKeys[];
  /** Callbacks that were not delivered yet. */
  readonly pending: number;
  /** Addresses that answered 410 and get no more callbacks. */
  readonly closed: readonly { readonly url: string; readonly at: string }[];
}

/** A public key that callbacks are signed with. */
export interface WebhookPublicKey {
  /** `whpk_` and the key. */
  readonly key: string;
  readonly createdAt: string;
  readonly until: string | null;
}
