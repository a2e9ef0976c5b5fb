// HTTP of the EAS protocol: one request for each call, with the identity headers, a deadline and
// errors that carry the codes of the table.

import { Deadline } from '../deadline.ts';
import { PlatformError } from '../errors.ts';
import { type ClientPlatform, codeOfStatus } from '../platform.ts';
import type { CallOptions } from '../queue-client.ts';
import type { Tags } from '../tags.ts';

export interface EasOptions {
  /** The address of the input queue, without a slash at its end. */
  readonly url: string;
  readonly token: string;
  readonly uid: string;
  readonly gid: string;
  readonly timeoutMs: number;
  readonly platform: ClientPlatform;
}

export interface EasCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Added to the address of the queue, beginning with a slash. */
  readonly path?: string | undefined;
  readonly query: URLSearchParams;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | undefined;
  /** Of a poll: how long the server may wait, before the deadline begins to run. */
  readonly waitMs?: number | undefined;
}

export interface EasAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

const textMax = 2000;

export class EasHttp {
  readonly options: EasOptions;
  readonly #over = new AbortController();

  constructor(options: EasOptions) {
    this.options = options;
  }

  get platform(): ClientPlatform {
    return this.options.platform;
  }

  /** Aborted when the client is closed. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  close(): void {
    this.#over.abort(new PlatformError('unavailable', 'The client is closed.'));
  }

  /** Who calls, and with which right. */
  headers(isRear: boolean): Record<string, string> {
    const { token, uid, gid } = this.options;
    const headers: Record<string, string> = {
      'X-EAS-QueueService-Redis-Uid': uid,
      'X-EAS-QueueService-Redis-Gid': gid,
    };
    if (token !== '') headers.Authorization = token;
    if (isRear) headers['X-EAS-QueueService-Access-Rear'] = 'true';
    return headers;
  }

  /** Resolves with a 2xx answer; everything else is a PlatformError. */
  async call(url: string, call: EasCall, options: CallOptions | undefined): Promise<EasAnswer> {
    const { method, query, headers, body, waitMs = 0 } = call;
    this.#over.signal.throwIfAborted();
    const patienceMs = (options?.timeoutMs ?? this.options.timeoutMs) + waitMs;
    const deadline = new Deadline(this.platform.clock, patienceMs, options?.signal);
    try {
      const response = await this.platform.fetch(addressOf(url, call.path, query), {
        method,
        headers: headers ?? {},
        signal: deadline.signal,
        redirect: 'error',
        // The types of the DOM leave shared memory out; payloads are never shared.
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (!response.ok) throw errorOfAnswer(response, new TextDecoder().decode(bytes));
      return { status: response.status, headers: response.headers, body: bytes };
    } catch (error) {
      throw deadline.explain(error, method);
    } finally {
      deadline.stop();
    }
  }
}

/** The address with its query; tags become parameters. */
export function addressOf(url: string, path: string | undefined, query: URLSearchParams): string {
  const text = query.toString();
  return `${url}${path ?? ''}${text === '' ? '' : `?${text}`}`;
}

/** Adds tags and request id as parameters. Reserved names are refused: they would not be tags. */
export function addLabels(
  query: URLSearchParams,
  labels: { readonly tags: Tags; readonly id: string | undefined },
): void {
  for (const [name, value] of labels.tags) {
    if (name.startsWith('_') && name.endsWith('_')) {
      throw new PlatformError('bad_request', `The EAS protocol reserves names such as ${name}.`);
    }
    query.append(name, value);
  }
  if (labels.id !== undefined) query.append('requestId', labels.id);
}

export function errorOfAnswer(response: Response, text: string): PlatformError {
  const { status } = response;
  const message = text.trim().slice(0, textMax) || `The server answered with status ${status}.`;
  const seconds = Number(response.headers.get('retry-after') ?? '');
  const retryAfterMs = seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
  return new PlatformError(codeOfStatus(status), message, retryAfterMs);
}
