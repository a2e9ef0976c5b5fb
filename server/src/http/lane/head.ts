// Reads the head of a plain POST: the few shapes of HTTP/1.1 that can mean one thing only. Whatever
// is unusual, wrong or optional in any way is not read here; node:http reads it.

/** A request that has a body of known length and asks for nothing but an answer. */
export interface PlainHead {
  readonly method: 'POST';
  readonly url: string;
  /** By name in lower case; no name came twice. */
  readonly headers: Readonly<Record<string, string>>;
  /** The head as it was sent, to recognise the same again. */
  readonly text: string;
  /** Bytes of the body. */
  readonly bodyBytes: number;
}

const endOfHead = '\r\n\r\n';
const requestLine = /^POST (\/[!-~]*) HTTP\/1\.1$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(|[!-~](?:[ -~\t]*[!-~])?)[ \t]*$/;
const length = /^(?:0|[1-9]\d{0,14})$/;

/** They change how a request is cut or answered. */
const unusual: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'origin',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * The head at the beginning of `bytes`; undefined when it is not all there, has more than
 * `bytesMax`, or is not plain. `last` is the head before it on the same connection: clients repeat
 * themselves.
 */
export function readHead(
  bytes: Buffer,
  bytesMax: number,
  last: PlainHead | undefined,
): PlainHead | undefined {
  if (last !== undefined && bytes.toString('latin1', 0, last.text.length) === last.text)
    return last;
  const end = bytes.indexOf(endOfHead, 0, 'latin1');
  const headBytes = end + endOfHead.length;
  if (end === -1 || headBytes > bytesMax) return undefined;
  const text = bytes.toString('latin1', 0, headBytes);
  const lines = text.slice(0, end).split('\r\n');
  const url = requestLine.exec(lines[0] ?? '')?.[1];
  const headers = url === undefined ? undefined : readHeaders(lines);
  if (url === undefined || headers === undefined) return undefined;
  const declared = headers['content-length'];
  if (declared === undefined || !length.test(declared) || headers.host === undefined) {
    return undefined;
  }
  return { method: 'POST', url, headers, text, bodyBytes: Number(declared) };
}

function readHeaders(lines: readonly string[]): Record<string, string> | undefined {
  // Without a prototype a header can't be mistaken for anything else.
  const headers: Record<string, string> = Object.create(null);
  for (let at = 1; at < lines.length; at++) {
    const line = headerLine.exec(lines[at] ?? '');
    const name = line?.[1]?.toLowerCase();
    const value = line?.[2];
    if (name === undefined || value === undefined || name in headers) return undefined;
    const keeps = name === 'connection' && value.toLowerCase() === 'keep-alive';
    if (unusual.has(name) && !keeps) return undefined;
    headers[name] = value;
  }
  return headers;
}
