// The service's queues over plain EAS HTTP, as any client without an SDK would use them: one POST
// puts a request, one GET on the sink waits for results and takes them.

export interface Result {
  readonly index: number;
  readonly requestId: string;
  readonly text: string;
  /** Of a failed request: the code and reason. */
  readonly failure: string | undefined;
}

export interface Accepted {
  readonly requestId: string;
  readonly index: number;
  /** When it was accepted; wall clock. */
  readonly at: number;
}

export interface Endpoint {
  readonly url: string;
  readonly token: string;
}

/** Resolves once the request is durable. */
export async function put(
  { url, token }: Endpoint,
  body: { readonly bytes: Uint8Array; readonly contentType: string },
): Promise<Accepted> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { Authorization: token, 'Content-Type': body.contentType },
    body: Buffer.from(body.bytes),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`put was refused: ${response.status} ${text}`);
  const requestId = response.headers.get('x-eas-queueservice-request-id') ?? '';
  return { requestId, index: Number(text), at: Date.now() };
}

/** Takes the results that are there, waiting up to a second for the first one. */
export async function takeResults({ url, token }: Endpoint): Promise<readonly Result[]> {
  const query = '_index_=0&_length_=1&_timeout_=1s&_raw_=false&_auto_delete_=true';
  const response = await fetch(`${url}/sink?${query}`, {
    headers: { Authorization: token, Accept: 'application/json' },
  });
  if (response.status === 204) return [];
  if (!response.ok) throw new Error(`get failed: ${response.status} ${await response.text()}`);
  const frames: unknown = await response.json();
  return Array.isArray(frames) ? frames.map(toResult) : [];
}

interface Frame {
  readonly index: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly data: string;
}

// The answer of our own server, as its protocol fixes it.
function toResult({ index, tags, data }: Frame): Result {
  const { requestId = '', lastCode, lastReason = '' } = tags;
  const text = Buffer.from(data, 'base64').toString('utf8');
  const failure = lastCode === undefined ? undefined : `${lastCode} ${lastReason}`.trim();
  return { index, requestId, text, failure };
}
