// Signs a GET for S3 and whatever speaks its protocol: AWS Signature Version 4 in headers, as the
// "Signature Version 4 signing process" of the AWS General Reference has it.

import { createHash, createHmac } from 'node:crypto';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken: string | undefined;
}

export interface SignOptions {
  readonly url: URL;
  readonly credentials: S3Credentials;
  readonly region: string;
  /** `s3` for S3. */
  readonly service: string;
  /** Wall clock. */
  readonly now: number;
  /** Further headers to send and to sign. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  /** SHA-256 of the body, hexadecimal; of an empty one by default. */
  readonly bodySum?: string;
}

const algorithm = 'AWS4-HMAC-SHA256';
const emptySum = createHash('sha256').digest('hex');

/** All headers to send, names in lower case; `host` among them. */
export function signedHeaders(options: SignOptions): Readonly<Record<string, string>> {
  const { url, credentials, region, service, now, method = 'GET', bodySum = emptySum } = options;
  const stamp = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const scope = `${stamp.slice(0, 8)}/${region}/${service}/aws4_request`;
  const token = credentials.sessionToken;
  const headers: Record<string, string> = {
    ...options.headers,
    host: url.host,
    'x-amz-date': stamp,
    // Only S3 wants it, and other services do not know it.
    ...(service === 's3' ? { 'x-amz-content-sha256': bodySum } : {}),
    ...(token === undefined ? {} : { 'x-amz-security-token': token }),
  };
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${trimmed(headers[name] ?? '')}\n`);
  const signed = names.join(';');
  const path = canonicalPath(url);
  const request = [method, path, canonicalQuery(url), lines.join(''), signed, bodySum];
  const text = [algorithm, stamp, scope, sum(request.join('\n'))].join('\n');
  const dayKey = hmac(`AWS4${credentials.secretAccessKey}`, stamp.slice(0, 8));
  const key = hmac(hmac(hmac(dayKey, region), service), 'aws4_request');
  const signature = hmac(key, text).toString('hex');
  const parts = [
    `Credential=${credentials.accessKeyId}/${scope}`,
    `SignedHeaders=${signed}`,
    `Signature=${signature}`,
  ];
  return { ...headers, authorization: `${algorithm} ${parts.join(',')}` };
}

/** As RFC 3986 and AWS encode: everything but unreserved characters. */
export function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
}

// Encoded once: as S3 has it, where all others encode a path that is sent encoded once more.
function canonicalPath({ pathname }: URL): string {
  return pathname
    .split('/')
    .map((part) => encoded(decodeURIComponent(part)))
    .join('/');
}

function canonicalQuery({ searchParams }: URL): string {
  const pairs = [...searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
  return pairs.sort().join('&');
}

function trimmed(value: string): string {
  return value.trim().replaceAll(/ +/g, ' ');
}

function sum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
