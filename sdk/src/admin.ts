// Client of the administrative API, for Node and browsers: plain fetch and JSON. Every failure is a
// PlatformError; the code tells what kind.

import type {
  ApplyAnswer,
  BackupInfo,
  BackupProgress,
  BackupStep,
  InstanceInfo,
  NewToken,
  QueueInfo,
  Scope,
  ServerInfo,
  ServiceDescription,
  ServiceQueue,
  ServiceSummary,
  TokenInfo,
} from './admin-types.ts';
import { type ErrorCode, errorKinds, PlatformError } from './errors.ts';

export interface AdminClientOptions {
  /** `http://127.0.0.1:8600`; a path is kept as a prefix. */
  readonly url: string;
  /** The admin token. */
  readonly token: string;
  readonly fetch?: typeof globalThis.fetch;
}

export interface LogOptions {
  /** Lines from the end to begin with; undefined = all that is kept. */
  readonly tail?: number;
  /** Go on with what is written from now on, until the signal or the end of the instance. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export class AdminClient {
  readonly #base: string;
  readonly #token: string;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: AdminClientOptions) {
    this.#base = options.url.replace(/\/+$/, '');
    this.#token = options.token;
    this.#fetch = options.fetch ?? ((...input) => globalThis.fetch(...input));
  }

  /** Also proves that the address is a Sluice and the token its admin token. */
  async server(signal?: AbortSignal): Promise<ServerInfo> {
    return this.#json({ method: 'GET', path: '/v1/server', signal });
  }

  async services(): Promise<readonly ServiceSummary[]> {
    return this.#json({ method: 'GET', path: '/v1/services' });
  }

  async service(name: string): Promise<ServiceDescription> {
    return this.#json({ method: 'GET', path: service(name) });
  }

  /** Makes a new service; `conflict` when the name is taken. May not be repeated blindly. */
  async createService(definition: unknown, options: ApplyOptions = {}): Promise<ApplyAnswer> {
    const path = `/v1/services${strict(options)}`;
    return this.#json({ method: 'POST', path, body: definition });
  }

  /** Creates, updates, or leaves alone when equal; may be repeated. */
  async applyService(
    name: string,
    definition: unknown,
    options: ApplyOptions = {},
  ): Promise<ApplyAnswer> {
    const path = `${service(name)}${strict(options)}`;
    return this.#json({ method: 'PUT', path, body: definition });
  }

  /** Removes the service with its queues and everything in them. */
  async deleteService(name: string): Promise<void> {
    await this.#call({ method: 'DELETE', path: service(name) });
  }

  async instances(name: string): Promise<readonly InstanceInfo[]> {
    return this.#json({ method: 'GET', path: `${service(name)}/instances` });
  }

  /** What an instance wrote, as it comes, in pieces that may end in the middle of a line. */
  async *logs(name: string, instance: string, options: LogOptions = {}): AsyncGenerator<string> {
    const query = new URLSearchParams();
    if (options.tail !== undefined) query.set('tail', String(options.tail));
    if (options.follow === true) query.set('follow', 'true');
    const path = `${service(name)}/instances/${encodeURIComponent(instance)}/logs?${query}`;
    const response = await this.#call({ method: 'GET', path, signal: options.signal });
    yield* textOf(response);
  }

  async queues(name: string): Promise<readonly QueueInfo[]> {
    return this.#json({ method: 'GET', path: `${service(name)}/queues` });
  }

  /** Undoes an end of stream. */
  async reopen(name: string, queue: ServiceQueue): Promise<void> {
    await this.#call({ method: 'POST', path: `${service(name)}/reopen`, body: { queue } });
  }

  async tokens(name: string): Promise<readonly TokenInfo[]> {
    return this.#json({ method: 'GET', path: `${service(name)}/tokens` });
  }

  /** A further token of a service; its secret is in this answer and nowhere else. */
  async addToken(name: string, token: string, scopes: readonly Scope[]): Promise<NewToken> {
    const body = { name: token, scopes };
    return this.#json({ method: 'POST', path: `${service(name)}/tokens`, body });
  }

  async removeToken(name: string, token: string): Promise<void> {
    const path = `${service(name)}/tokens/${encodeURIComponent(token)}`;
    await this.#call({ method: 'DELETE', path });
  }

  /** Replaces the main token; the old one is refused from now on. */
  async rotateToken(name: string): Promise<NewToken> {
    return this.#json({ method: 'POST', path: `${service(name)}/tokens/main/rotate` });
  }

  /**
   * Makes a backup of everything in a folder on the server's machine, while it serves. Resolves
   * when the backup has been checked; a signal or a lost connection leaves nothing behind.
   */
  async backUp(path: string, options: BackupOptions = {}): Promise<BackupInfo> {
    const { signal, progress } = options;
    const call = { method: 'POST', path: '/v1/backup', body: { path }, signal };
    for await (const line of linesOf(await this.#call(call))) {
      // As for `#json`.
      const step = JSON.parse(line) as BackupStep;
      if (step.kind === 'progress') progress?.(step);
      else if (step.kind === 'done') return step.backup;
      else throw new PlatformError(isCode(step.code) ? step.code : 'internal', step.detail);
    }
    signal?.throwIfAborted();
    throw new PlatformError('unavailable', 'the server ended before the backup was made');
  }

  /** The Prometheus text. */
  async metrics(): Promise<string> {
    const response = await this.#call({ method: 'GET', path: '/metrics' });
    return response.text();
  }

  async #json<T>(call: Call): Promise<T> {
    const response = await this.#call(call);
    // The server's schemas are compiled against the types of admin-types.ts.
    return (await response.json()) as T;
  }

  async #call(call: Call): Promise<Response> {
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

  async #send(call: Call, init: RequestInit): Promise<Response> {
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

export interface BackupOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (progress: BackupProgress) => void;
}

export interface ApplyOptions {
  /** Refuse fields that Sluice does not act on, instead of naming them in the warnings. */
  readonly strict?: boolean;
}

async function* textOf(response: Response): AsyncGenerator<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Whole lines; a cut connection ends them. */
async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const piece of textOf(response)) {
      const lines = `${rest}${piece}`.split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch {
    // Whoever reads the lines knows which was to be the last.
  }
}

function service(name: string): string {
  return `/v1/services/${encodeURIComponent(name)}`;
}

function strict(options: ApplyOptions): string {
  return options.strict === true ? '?strict=true' : '';
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

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorKinds, text);
}

function codeOf(status: number): ErrorCode {
  for (const [code, kind] of Object.entries(errorKinds)) {
    if (kind.status === status && isCode(code)) return code;
  }
  return status < 500 ? 'bad_request' : 'internal';
}
