// What a decision is: changes to apply and write, effects to release once they are durable, and
// the answer to whoever asked.

import { type ErrorCode, PlatformError } from '@sluice/sdk/wire';
import type { Change } from './change.ts';
import type { QueueName } from './message.ts';

/** Why a watch was closed by the server. */
export type WatchEnd = 'ended' | 'replaced' | 'deleted' | 'stopping' | 'recovering';

export type Effect =
  | {
      readonly kind: 'deliver';
      readonly consumer: number;
      readonly queue: QueueName;
      readonly index: number;
      /** 0 with auto commit. */
      readonly deliveryId: number;
      readonly deliveries: number;
    }
  | {
      readonly kind: 'voided';
      readonly consumer: number;
      readonly deliveryId: number;
      readonly reason: string;
    }
  | { readonly kind: 'closed'; readonly consumer: number; readonly reason: WatchEnd }
  | SuspicionEffect
  /** The model is known to be free of a request that was taken away while it worked on it. */
  | { readonly kind: 'free'; readonly index: number; readonly at: number };

/** What instances that died with a message, or lived, mean for it. */
export interface SuspicionEffect {
  readonly kind: 'suspicion';
  readonly what: 'suspect' | 'convicted' | 'cleared';
  readonly index: number;
  /** Who held it. */
  readonly uid: string;
  readonly reason: string;
}

export type Reply =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly error: PlatformError }
  | { readonly kind: 'put'; readonly index: number; readonly repeated: boolean }
  | { readonly kind: 'attached'; readonly consumer: number; readonly held: readonly number[] }
  | { readonly kind: 'completed'; readonly resultIndex: number }
  | { readonly kind: 'canceled'; readonly found: boolean };

export interface Decision {
  readonly changes: readonly Change[];
  readonly effects: readonly Effect[];
  readonly reply: Reply;
  /** Work of the same kind is left: decide again after applying. */
  readonly more: boolean;
}

export const done: Reply = { kind: 'done' };
const nothing: readonly never[] = [];

export const unchanged: Decision = { changes: nothing, effects: nothing, reply: done, more: false };

/** A decision that is answered with `done`. */
export function changing(
  changes: readonly Change[],
  effects: readonly Effect[] = nothing,
): Decision {
  return { changes, effects, reply: done, more: false };
}

/** A decision with an answer of its own and nothing to release. */
export function answering(reply: Reply, changes: readonly Change[] = nothing): Decision {
  return { changes, effects: nothing, reply, more: false };
}

/** A refusal; it changes nothing but counters. */
export function refusing(
  code: ErrorCode,
  message: string,
  changes: readonly Change[] = nothing,
): Decision {
  return answering({ kind: 'refused', error: new PlatformError(code, message) }, changes);
}
