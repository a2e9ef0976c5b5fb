// What a client of the stream protocol may say of itself and of its calls, looked at before
// anything is kept: names, payload sizes, texts of outcomes, delays.

import { type Hello, type Open, oversizedText, PlatformError } from '@sluice/sdk/wire';
import { checkCause, reasonCharactersMax } from '../../broker/request-limits.ts';
import { checkpointBytesMax } from '../../broker/service-queues.ts';
import type { Place } from './calls.ts';
import { type StreamLimits, streamLimitText } from './limits.ts';
import type { SizedCall } from './routes.ts';

/** A message that is given back for longer comes back after this. */
const delayMsMax = 24 * 3_600_000;

/** Throws when a hello has more to say of itself than anybody needs. */
export function checkHello({ uid, gid, token, resume, agent }: Hello, limits: StreamLimits): void {
  checkName('a user id', uid, limits);
  checkName('a group id', gid, limits);
  checkName('a token', token, limits);
  checkName('a session', resume, limits);
  checkName('an agent', agent, limits);
}

/** The same of an open. */
export function checkOpen({ service, gid, uid }: Open, limits: StreamLimits): void {
  checkName('a user id', uid, limits);
  checkName('a group id', gid, limits);
  checkName("a service's name", service, limits);
}

/** Throws `too_large` when a payload that is announced does not fit its queue. */
export function checkSize({ queues, channel }: Place, call: SizedCall): void {
  if (call.kind === 'checkpoint') {
    if (call.size <= checkpointBytesMax) return;
    const text = `a checkpoint has ${call.size} bytes, at most ${checkpointBytesMax} are kept`;
    throw new PlatformError('too_large', text);
  }
  const queue = call.kind === 'put' ? channel.queue : 'sink';
  const bytesMax = queues.payloadBytesMax(queue);
  if (call.size <= bytesMax) return;
  const what = call.kind === 'put' ? 'a payload' : 'a result';
  throw new PlatformError('too_large', oversizedText({ what, bytes: call.size, bytesMax, queue }));
}

/** Why something was not done, as it is kept: a code that is checked, a reason that is cut. */
export function causeOf(call: { readonly code: string; readonly reason: string }): {
  readonly code: string;
  readonly reason: string;
} {
  checkCause(call.code);
  return { code: call.code, reason: call.reason.slice(0, reasonCharactersMax) };
}

/** How long a message stays away at most. */
export function delayOf(delayMs: number): number {
  return Math.min(delayMs, delayMsMax);
}

function checkName(what: string, name: string, limits: StreamLimits): void {
  if (Buffer.byteLength(name) <= limits.nameBytesMax) return;
  const text = `${what} is too long: ${streamLimitText(limits, 'nameBytesMax')}`;
  throw new PlatformError('bad_request', text);
}
