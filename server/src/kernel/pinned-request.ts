// One GET to a target that was checked, at the very addresses that were checked, for answers of any
// size that are read as slowly as need be. Over node:http: where the other side closes the
// connection before a slow reader has all of it, undici 7 ends the process by an assertion.

import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { PinnedTarget } from './address-filter.ts';
import { type PinnedOptions, pinnedLookup } from './pinned-connector.ts';

export interface AskOptions extends PinnedOptions {
  readonly signal: AbortSignal;
}

const connectMs = 10_000;
/** Longest wait for the first and between any two pieces of an answer. */
const silenceMs = 60_000;

/** Resolves with the head of the answer, whose body is to be read or destroyed; a cut is an error
 * of the body. Follows nobody elsewhere. */
export function ask(
  { url, addresses }: PinnedTarget,
  headers: Readonly<Record<string, string>>,
  { signal, ca }: AskOptions,
): Promise<IncomingMessage> {
  const options: RequestOptions = {
    headers,
    signal,
    lookup: pinnedLookup(addresses),
    // With several addresses node tries the next one when one does not answer.
    // One request, one connection: nothing is shared with whoever asks next.
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const request =
      url.protocol === 'https:'
        ? requestTls(url, { ...options, ...(ca === undefined ? {} : { ca }) })
        : requestPlain(url, options);
    let answer: IncomingMessage | undefined;
    let limitMs = connectMs;
    request.setTimeout(limitMs);
    request.on('socket', (socket) => {
      socket.once('connect', () => {
        limitMs = silenceMs;
        request.setTimeout(limitMs);
      });
    });
    request.on('timeout', () => {
      // What lies here unread is waited for by nobody but its reader.
      if (answer !== undefined && answer.readableLength > 0) return;
      request.destroy(new Error(`nothing came for ${limitMs / 1000} s`));
    });
    request.on('error', reject);
    request.on('response', (response) => {
      answer = response;
      // Whoever reads sees it; whoever does not need not.
      response.on('error', () => undefined);
      resolve(response);
    });
    request.end();
  });
}
