// What became of a call, as whoever made it may understand the answer.

import { errorKinds, PlatformError } from '@sluice/sdk/wire';
import { Violation } from './trace.ts';

export type Answer<Value> =
  | { readonly kind: 'ok'; readonly value: Value }
  /** Certainly nothing changed. */
  | { readonly kind: 'refused'; readonly code: string }
  /** It may have happened or not. */
  | { readonly kind: 'unknown'; readonly code: string };

/** What an error says of the call it answers. Whatever is not a refusal is a fault of ours. */
export function refusalOf(error: unknown): Exclude<Answer<never>, { readonly kind: 'ok' }> {
  if (!(error instanceof PlatformError)) throw error;
  const { code } = error;
  if (code === 'internal') throw new Violation(`a call answered internal: ${error.message}`);
  const isKnown = !errorKinds[code].retry || code === 'queue_full' || code === 'disk_full';
  return { kind: isKnown ? 'refused' : 'unknown', code };
}

/** An answer as a line of the trace shows it. */
export function said(answer: Answer<unknown>): string {
  if (answer.kind !== 'ok') return `${answer.kind} ${answer.code}`;
  const { value } = answer;
  if (typeof value !== 'object' || value === null) return `ok ${value ?? ''}`;
  return `ok ${'index' in value ? value.index : ''}`;
}
