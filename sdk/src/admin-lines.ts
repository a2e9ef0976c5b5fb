// Answers of the administrative API that are one JSON value a line, read as they come: what
// happened to services, what their instances write.

import { type AdminTransport, textOf } from './admin-transport.ts';
import { PlatformError } from './errors.ts';
import type { EventInfoKind } from './event-types.ts';

export interface EventOptions {
  /** Only events with a higher number. */
  readonly after?: number | undefined;
  /** At most so many to begin with: the latest; the first ones with `after` and without `follow`. */
  readonly limit?: number | undefined;
  readonly kind?: Exclude<EventInfoKind, 'missed'> | undefined;
  /** Go on with what happens from now on. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ServiceLogOptions {
  /** Lines from the end of each log to begin with; undefined = all that is kept. */
  readonly tail?: number | undefined;
  /** Only that instance; it may be gone. Followed, the log ends with it. */
  readonly instance?: string | undefined;
  /** Go on with what is written from now on. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** `?name=value` of those that are defined. */
export function parameters(values: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? '' : `?${query}`;
}

/** The values of an answer, until its end or the signal's; `unavailable` when it is cut. */
export async function* valuesOf<T>(
  transport: AdminTransport,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  let rest = '';
  try {
    const response = await transport.call({ method: 'GET', path, signal });
    for await (const piece of textOf(response, signal)) {
      const lines = `${rest}${piece}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        // An empty one only keeps the connection alive. As for `AdminTransport.json`.
        if (line !== '') yield JSON.parse(line) as T;
      }
    }
  } catch (error) {
    if (signal?.aborted === true) return;
    if (error instanceof PlatformError) throw error;
    throw new PlatformError('unavailable', 'the connection to the server was lost', {
      cause: error,
    });
  }
  if (rest !== '') throw new PlatformError('unavailable', 'the answer of the server was cut');
}
