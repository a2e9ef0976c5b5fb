// How the client of the administrative API asks: fetch, JSON, and problems read as errors.

import { type ErrorCode, errorKinds, PlatformError } from './errors.ts';

export interface AdminClientOptions {
  /** `http://127.0.0.1:8600`; a path is kept as a prefix. */
  readonly url: string;
  /** The admin token. */
  readonly token: string;
  readonly fetch?: typeof globalThis.fetch;
}

/** One call; the path begins with `/`. */
export interface AdminCall {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export class AdminTransport {
  readonly #base: string;
  readonly #token: string;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: AdminClientOptions) {
    this.#base = options.url.replace(/\/+$/, '');
    this.#token = options.token;
    this.#fetch = options.fetch ?? ((...input) => globalThis.fetch(...input));
  }

  async json<T>(call: AdminCall): Promise<T> {
    const response = await this.call(call);
    // The server's schemas are compiled against the types of admin-types.ts.
    return (await response.json()) as T;
  }

  /** The good answer; any other is thrown as a `PlatformError`. */
  async call(call: AdminCall): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#token}` };
    const init: RequestInit = { method: call.method, headers, redirect: 'error' };
    if (call.body !== undefined) {
      headers['Content-Type'] = 'application/json';
      init.body = JSON.stringify(call.body);
    }
    if (call.signal !== undefined) init.signal = call.signal;
    const response = await this.#send(call, init);
    if (!response.ok) throw await toError(response);
    return response;
  }

  async #send(call: AdminCall, init: RequestInit): Promise<Response> {
    try {
      return await this.#fetch(`${this.#base}${call.path}`, init);
    } catch (error) {
      if (call.signal?.aborted === true) throw error;
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `${this.#base} does not answer${why === '' ? '' : `: ${why}`}`;
      throw new PlatformError('unavailable', message, { cause: error });
    }
  }
}

/** The text as it comes, in pieces that may end in the middle of a line. Throws when `signal`, that
 * of the call, is aborted. */
export async function* textOf(
  response: Response,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  // In Node 20 an answer forgets the signal of its call once memory was collected.
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) break;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    await reader.cancel().catch(() => undefined);
  }
}

/** Whole lines; a cut connection ends them. */
export async function* linesOf(
  response: Response,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const piece of textOf(response, signal)) {
      const lines = `${rest}${piece}`.split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch {
    // Whoever reads the lines knows which was to be the last.
  }
}

async function toError(response: Response): Promise<PlatformError> {
  const text = await response.text().catch(() => '');
  const problem = readProblem(text);
  const code = problem.code ?? codeOf(response.status);
  const seconds = Number(response.headers.get('retry-after'));
  return new PlatformError(code, problem.detail ?? `HTTP ${response.status}: ${text}`, {
    ...(seconds > 0 ? { retryAfterMs: seconds * 1000 } : {}),
  });
}

function readProblem(text: string): { code?: ErrorCode; detail?: string } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    const { code, detail, mistakes } = { code: '', detail: '', mistakes: [], ...value };
    const lines = Array.isArray(mistakes) ? mistakes.map((each) => `\n  ${String(each)}`) : [];
    const message = `${String(detail)}${lines.join('')}`;
    return isCode(code) ? { code, detail: message } : {};
  } catch {
    return {};
  }
}

/** Whether a word is one of the table's codes. */
export function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorKinds, text);
}

function codeOf(status: number): ErrorCode {
  for (const [code, kind] of Object.entries(errorKinds)) {
    if (kind.status === status && isCode(code)) return code;
  }
  return status < 500 ? 'bad_request' : 'internal';
}
