// The EAS request signature, as the predict clients of the official SDKs compute it:
//
//   base64(HMAC-SHA1(token, METHOD \n Content-MD5 \n Content-Type \n Date \n resource))
//
// with METHOD always POST. What is signed is the text of the headers as they were sent, so the
// clients' habits do no harm: local time labelled GMT in `Date`, an MD5 that lost its leading
// zeros, an MD5 of the body before it was packed. The body itself is therefore not compared.

import { createHmac, timingSafeEqual } from 'node:crypto';

/** What of a request is signed. */
export interface SignedRequest {
  readonly method?: string | undefined;
  /** Path and query as received. */
  readonly url?: string | undefined;
  readonly headers: {
    readonly authorization?: string | undefined;
    readonly date?: string | undefined;
    readonly 'content-type'?: string | undefined;
    readonly 'content-md5'?: string | string[] | undefined;
  };
}

/** Whether `signature` is that of the request under `token`, over any of the usual resources. */
export function isSignedBy(
  request: SignedRequest,
  service: string,
  signature: string,
  token: string,
): boolean {
  const presented = Buffer.from(signature, 'base64');
  let signed = false;
  for (const resource of resourcesOf(request.url ?? '/', service)) {
    const expected = createHmac('sha1', token).update(signedText(request, resource)).digest();
    if (presented.length === expected.length && timingSafeEqual(presented, expected)) signed = true;
  }
  return signed;
}

/** The signature of a request over one resource, in base64. */
export function signatureOf(request: SignedRequest, resource: string, token: string): string {
  return createHmac('sha1', token).update(signedText(request, resource)).digest('base64');
}

function signedText(request: SignedRequest, resource: string): string {
  const { headers } = request;
  const md5 = headers['content-md5'];
  return [
    'POST',
    (Array.isArray(md5) ? md5[0] : md5) ?? '',
    headers['content-type'] ?? '',
    headers.date ?? '',
    resource,
  ].join('\n');
}

/**
 * JAVA signs path and query, the others the path, PY the path of the service whichever path below
 * it is called.
 */
function resourcesOf(url: string, service: string): ReadonlySet<string> {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  return new Set([url, path, `/api/predict/${service}`]);
}
