// Answers with a body that is not in its message: from its file, or from the address that its
// submitter gave, as fast as the client reads.

import { pipeline } from 'node:stream/promises';
import { PlatformError } from '@sluice/sdk/wire';
import { sumOf } from '../../engine/body-name.ts';
import type { BodyPlace } from '../../queue/terms.ts';
import { type FlatHeaders, reasonPhrase } from '../answer.ts';
import { answerBody } from '../body-answer.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { headerSafe, resultHeaders } from './result.ts';

const noStore: FlatHeaders = ['Cache-Control', 'no-store'];

/** The type as it may be said of a stranger's body. */
export function safeType(type: string | undefined): string {
  return headerSafe(type) ?? 'application/octet-stream';
}

/** Rejects, with nothing sent, when it is not there any more or can't be fetched now. */
export async function answerPlace(
  parts: Pick<RequestParts, 'store' | 'fetchBody' | 'limits'>,
  call: Pick<RequestCall, 'request' | 'response' | 'service'>,
  place: BodyPlace,
  contentType?: string,
): Promise<void> {
  const headers = [...noStore, ...resultHeaders];
  const how = { type: safeType(contentType), headers };
  if (place.kind === 'address') await answerFetched(parts, call, place.url, how);
  else await answerFile(parts, call, place, how);
}

/** What is said of a body that is gone. */
export function noBody(): PlatformError {
  return new PlatformError('not_found', 'there is no such body any more');
}

interface How {
  readonly type: string;
  readonly headers: FlatHeaders;
}

async function answerFile(
  { store: host, limits }: Pick<RequestParts, 'store' | 'limits'>,
  { request, response }: Pick<RequestCall, 'request' | 'response'>,
  { name, size }: Extract<BodyPlace, { kind: 'file' }>,
  { type, headers }: How,
): Promise<void> {
  if (host === undefined) throw noBody();
  const digest = Buffer.from(sumOf(name), 'hex').toString('base64');
  const all = [...headers, 'Repr-Digest', `sha-256=:${digest}:`];
  const answer = { name, size, type, headers: all };
  if (!(await answerBody({ host, limits }, request, response, answer))) throw noBody();
}

async function answerFetched(
  { fetchBody, limits }: Pick<RequestParts, 'fetchBody' | 'limits'>,
  { request, response, service }: Pick<RequestCall, 'request' | 'response' | 'service'>,
  url: string,
  { type, headers }: How,
): Promise<void> {
  if (fetchBody === undefined) {
    throw new PlatformError('not_found', 'bodies at addresses are not fetched here');
  }
  const left = new AbortController();
  response.once('close', () => left.abort(new Error('nobody waits for the body any more')));
  const { stream, size } = await fetchBody(service.name, url, left.signal);
  if (response.destroyed || request.socket.destroyed) {
    stream.destroy();
    return;
  }
  const length = size === undefined ? [] : ['Content-Length', String(size)];
  response.writeHead(200, reasonPhrase(200), [...headers, 'Content-Type', type, ...length]);
  response.setTimeout(limits.stallMs, () => response.destroy());
  await pipeline(stream, response).catch(() => response.destroy());
  response.setTimeout(0);
}
