// Short answers of the edge: one line of text with a status, written with one call. Where errors
// become answers on everything that is not the request API, which writes problem documents.

import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';

const plainText = 'text/plain; charset=utf-8';

/** Names and values in turn. */
export type FlatHeaders = readonly string[];

/** An answer as it is known before it is written. */
export interface TextAnswer {
  readonly status: number;
  readonly text: string;
  /** Plain text unless it is said. */
  readonly type?: string;
  readonly headers: FlatHeaders;
}

/** The answer to what was not done. */
export type Refusal = TextAnswer;

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
    plainText,
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

/**
 * The same answer as a whole HTTP/1.1 message for a socket that has no response, to be written as
 * latin1. `connection`: header lines that say what becomes of the connection, each with its end.
 */
export function answerMessage(answer: TextAnswer, connection: string): string {
  const { status, text, headers, type = plainText } = answer;
  const bytes = Buffer.byteLength(text);
  let head = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  }
  head += `Content-Type: ${type}\r\nContent-Length: ${bytes}\r\n${connection}\r\n`;
  // One string is one system call.
  return head + (bytes === text.length ? text : Buffer.from(text).toString('latin1'));
}

/** Says that the connection ends with the answer. */
export const closing = 'Connection: close\r\n';

/** Answers on a socket that has no response, and closes it. */
export function refuseSocket(socket: Duplex, refusal: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.once('finish', () => socket.destroy());
  socket.end(answerMessage(refusal, closing), 'latin1');
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, ' ');
}
