// Short answers of the edge: one line of text with a status, written with one call. Where errors
// become answers on everything that is not the request API, which writes problem documents.

import { type ServerResponse, STATUS_CODES } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';

/** Names and values in turn. */
export type FlatHeaders = readonly string[];

/** A refusal as it is known before it is written. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly headers: FlatHeaders;
}

/** EAS answers 450 for a full queue; the HTTP standard has no name for it. */
export function reasonPhrase(status: number): string {
  return status === 450 ? 'Queue Full' : (STATUS_CODES[status] ?? 'Unknown');
}

/** The refusal that an error stands for; anything but a PlatformError is a bug, 500. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof PlatformError)) {
    return { status: 500, text: 'internal error, see the log of the server', headers: [] };
  }
  const headers: string[] = [];
  if (error.retryAfterMs !== undefined) {
    headers.push('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  if (error.code === 'unauthorized') headers.push('WWW-Authenticate', 'Bearer');
  return { status: error.status, text: oneLine(error.message), headers };
}

/** Writes a whole answer of plain text; does nothing once an answer has begun or is impossible. */
export function answerText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: FlatHeaders = [],
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, reasonPhrase(status), [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(Buffer.byteLength(text)),
    ...headers,
  ]);
  response.end(text);
}

/** Writes a refusal. */
export function answerRefusal(response: ServerResponse, refusal: Refusal): void {
  answerText(response, refusal.status, refusal.text, refusal.headers);
}

/** The same answer as bytes of a whole HTTP/1.1 message, for a socket that has no response. */
export function refusalBytes(refusal: Refusal): Buffer {
  const body = Buffer.from(refusal.text);
  const lines = [
    `HTTP/1.1 ${refusal.status} ${reasonPhrase(refusal.status)}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
  ];
  for (let at = 0; at + 1 < refusal.headers.length; at += 2) {
    lines.push(`${refusal.headers[at]}: ${refusal.headers[at + 1]}`);
  }
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, ' ');
}
