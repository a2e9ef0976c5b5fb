// One GET to a target that was checked, over node:http: a server that ends its answer by closing
// the connection while the disk is slow ends undici's parser, and with it the process.

import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { PinnedTarget } from '../kernel/address-filter.ts';
import { pinnedLookup } from '../kernel/pinned-connector.ts';

export interface AskOptions {
  readonly signal: AbortSignal;
  readonly ca?: string | undefined;
}

/** Longest wait for a connection, the first and between any two pieces of an answer. */
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
    timeout: silenceMs,
    // One request, one connection: nothing is shared with whoever asks next.
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const request =
      url.protocol === 'https:'
        ? requestTls(url, { ...options, ...(ca === undefined ? {} : { ca }) })
        : requestPlain(url, options);
    const silent = (): void => {
      request.destroy(new Error(`nothing came for ${silenceMs / 1000} s`));
    };
    request.on('timeout', silent);
    request.on('error', reject);
    request.on('response', (response) => {
      // Whoever reads sees it; whoever does not need not.
      response.on('error', () => undefined);
      resolve(response);
    });
    request.end();
  });
}
