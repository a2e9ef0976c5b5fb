// Answers with a body that lies in a file: whole, or the part that a Range header asks for.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type FlatHeaders, reasonPhrase } from './answer.ts';
import type { EdgeLimits } from './limits.ts';
import type { BodyHost } from './spill.ts';

export interface BodyAnswer {
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly headers: FlatHeaders;
}

interface Part {
  readonly first: number;
  readonly last: number;
}

/**
 * Sends it as fast as the client reads. Resolves with false, and nothing sent, when the body is
 * gone; when it turns out damaged or the client stands still, the connection is cut.
 */
export async function answerBody(
  parts: { readonly host: BodyHost; readonly limits: EdgeLimits },
  request: IncomingMessage,
  response: ServerResponse,
  answer: BodyAnswer,
): Promise<boolean> {
  const { name, size, type } = answer;
  const tag = `"${name.slice(-32)}"`;
  const wanted = rangeOf(request, tag, size);
  const range = wanted === 'unsatisfiable' ? undefined : wanted;
  const body = await parts.host.open(name, range);
  if (body === undefined || response.destroyed) {
    body?.stream.destroy();
    return body !== undefined;
  }
  const headers = [...answer.headers, 'ETag', tag, 'Accept-Ranges', 'bytes'];
  if (wanted === 'unsatisfiable') {
    body.stream.destroy();
    const all = ['Content-Range', `bytes */${size}`, 'Content-Length', '0'];
    response.writeHead(416, reasonPhrase(416), [...headers, ...all]).end();
    return true;
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  headers.push('Content-Type', type, 'Content-Length', String(last - first + 1));
  if (range !== undefined) headers.push('Content-Range', `bytes ${first}-${last}/${size}`);
  const status = range === undefined ? 200 : 206;
  response.writeHead(status, reasonPhrase(status), headers);
  if (request.method === 'HEAD') {
    body.stream.destroy();
    response.end();
    return true;
  }
  response.setTimeout(parts.limits.stallMs, () => response.destroy());
  // Whoever sees less than the length that was said knows that it is not whole.
  await pipeline(body.stream, response).catch(() => response.destroy());
  response.setTimeout(0);
  return true;
}

/** The one range of a request; undefined: all of it (several ranges are answered so too). */
function rangeOf(
  { headers, method }: IncomingMessage,
  tag: string,
  size: number,
): Part | 'unsatisfiable' | undefined {
  const condition = headers['if-range'];
  const isAsked = method === 'GET' && (condition === undefined || condition === tag);
  const match = isAsked ? /^bytes=(\d*)-(\d*)$/.exec(headers.range?.trim() ?? '') : null;
  const [, from = '', to = ''] = match ?? [];
  if (from === '' && to === '') return undefined;
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  return first > last ? 'unsatisfiable' : { first, last };
}
