// A client of the request API that knows nothing but HTTP, so that the harness does not believe the
// SDK either.

import { adminToken } from './server.ts';

/** What the status of a request says, as far as the harness looks at it. */
export interface Status {
  readonly id: string;
  readonly index: number;
  readonly state: string;
  readonly cause: string | null;
  readonly code: string;
  readonly acceptedAt: string;
  readonly doneAt: string | null;
  readonly deliveries: number;
  readonly outcomes: readonly { readonly code: string; readonly reason: string }[];
  readonly cancel: { readonly effectiveAt: string | null; readonly unconfirmed: boolean } | null;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** What a status may say that makes another try sensible. */
const passing: ReadonlySet<number> = new Set([429, 500, 503, 504, 507]);
const callMs = 10_000;

export class RequestCaller {
  readonly #base: string;

  constructor(url: string, service: string) {
    this.#base = `${url}/v1/services/${service}`;
  }

  /** Throws while the server is away or has no room. */
  async call(
    method: string,
    path: string,
    more: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.#base}/${path}`, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, ...more.headers },
      ...(more.body === undefined ? {} : { body: more.body }),
      signal: AbortSignal.timeout(callMs),
    });
    const text = await response.text();
    if (passing.has(response.status)) throw new Error(`${response.status} ${text}`);
    return { status: response.status, text };
  }

  /** Reads the events of a request one piece every `paceMs`, for `forMs` at most. */
  async readSlowly(
    id: string,
    { paceMs, forMs }: { paceMs: number; forMs: number },
  ): Promise<void> {
    const response = await fetch(`${this.#base}/requests/${id}/events`, {
      headers: { authorization: `Bearer ${adminToken}` },
      signal: AbortSignal.timeout(forMs),
    });
    for await (const _ of response.body ?? []) {
      await new Promise((resolve) => setTimeout(resolve, paceMs));
    }
  }
}
