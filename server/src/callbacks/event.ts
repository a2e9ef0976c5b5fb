// The message of a callback: what it says, and its id, which is the same for every attempt so that
// a receiver can tell a repetition from a new event.

import { createHash } from 'node:crypto';
import type { RequestInfo } from '@sluice/sdk/wire';
import type { Told } from './source.ts';

/** The result of a request inside of its event: JSON and text as they are, all else as base64. */
export type ResultInEvent = { readonly contentType: string | null } & (
  | { readonly json: unknown }
  | { readonly text: string }
  | { readonly base64: string }
);

export interface CallbackMessage {
  readonly id: string;
  /** `request.succeeded` and the like. */
  readonly type: string;
  /** JSON. */
  readonly body: string;
}

/** What is told of an end. */
export function eventType({ state }: Pick<RequestInfo, 'state'>): string {
  return `request.${state}`;
}

/** The same for the same request at rest, whenever it is made. */
export function messageOf({ request, result }: Told): CallbackMessage {
  const type = eventType(request);
  const data = result === undefined ? request : { ...request, result: shown(result) };
  return {
    id: messageId(request),
    type,
    body: JSON.stringify({ type, timestamp: request.doneAt ?? request.acceptedAt, data }),
  };
}

function messageId({ service, id, state }: RequestInfo): string {
  const digest = createHash('sha256').update(`${service}\n${id}\n${state}`).digest('hex');
  return `msg_${digest.slice(0, 32)}`;
}

function shown({ contentType, payload }: NonNullable<Told['result']>): ResultInEvent {
  const type = contentType ?? null;
  const text = asText(payload);
  if (text === undefined) return { contentType: type, base64: base64Of(payload) };
  const json = isJson(contentType) ? asJson(text) : undefined;
  return json === undefined ? { contentType: type, text } : { contentType: type, json: json.value };
}

function isJson(contentType: string | undefined): boolean {
  return /^[^;]*[/+]json\s*(;|$)/i.test(contentType ?? '');
}

function asText(payload: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    return undefined;
  }
}

function asJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function base64Of(payload: Uint8Array): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64');
}
