// One call of the request API as data: the handler finds it by its address, and the OpenAPI
// document is made from it.

import type { z } from 'zod';
import type { RequestCall, RequestParts } from './call.ts';
import type { ShapeName } from './schemas.ts';
import type { Need } from './visibility.ts';

/** What a body or an answer is made of. */
export type Content =
  | { readonly kind: 'json'; readonly of: ShapeName }
  /** One JSON value a line. */
  | { readonly kind: 'lines'; readonly of: ShapeName }
  /** Whatever it is, of any type. */
  | { readonly kind: 'bytes' }
  /** Server-sent events. */
  | { readonly kind: 'events' }
  | { readonly kind: 'nothing' };

export interface Answer {
  readonly description: string;
  readonly content: Content;
  /** What each header says. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RequestRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/v1/services/{name}/`, without a slash at either end. */
  readonly path: string;
  readonly need: Need;
  /** `new`: it brings work, which a stopped service refuses. */
  readonly work: 'none' | 'new';
  readonly summary: string;
  readonly description?: string;
  /** The parameters behind the question mark. */
  readonly query?: z.ZodType;
  /** Headers that are looked at, and what they say. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly description: string; readonly content: Content };
  /** By status; problems need not be listed. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Answers the call; whatever it throws is answered as a problem. */
  serve(parts: RequestParts, call: RequestCall): void | Promise<void>;
}

/** What every call of the request API begins with. */
export const servicesPrefix = '/v1/services/';
