// What a submitter asked of a request beyond its message: times, retention, a callback, a body that
// lies elsewhere. Kept as one text with the message and with the request's record, so that engines
// need not know of it; requests put through EAS have none.

/** Where a payload lies that is not in the message: a file of Sluice's, or a foreign address. */
export type BodyPlace =
  | { readonly kind: 'file'; readonly name: string; readonly size: number }
  | { readonly kind: 'address'; readonly url: string };

/** Bytes of a body: of a message with so many, whose body may lie in a file. */
export function bodySize(size: number, { body }: Pick<RequestTerms, 'body'>): number {
  return body?.kind === 'file' ? body.size : size;
}

/** Who is told of what becomes of a request. */
export interface CallbackWish {
  readonly url: string;
  /** Which ends are told; empty = every one. */
  readonly events: readonly string[];
}

export interface RequestTerms {
  /** Wall clock: not delivered before; 0 = at once. */
  readonly delayUntil: number;
  /** Wall clock: over by then, even when it runs; 0 = no such end. */
  readonly finishBy: number;
  /** How long its result and record stay at least once it is at rest; 0 = as the service says. */
  readonly retainMs: number;
  readonly callback: CallbackWish | undefined;
  readonly body: BodyPlace | undefined;
  /** The `traceparent` of W3C trace context. */
  readonly trace: string | undefined;
}

/** A request that asked for nothing. */
export const noTerms: RequestTerms = {
  delayUntil: 0,
  finishBy: 0,
  retainMs: 0,
  callback: undefined,
  body: undefined,
  trace: undefined,
};

/** As text; undefined when nothing was asked. Only what differs from `noTerms` is written. */
export function writeTerms(terms: RequestTerms): string | undefined {
  const asked = Object.entries(terms).filter(([, value]) => value !== undefined && value !== 0);
  return asked.length === 0 ? undefined : JSON.stringify(Object.fromEntries(asked));
}

/** What `writeTerms` wrote. */
export function readTerms(text: string | undefined): RequestTerms {
  if (text === undefined) return noTerms;
  // Only `writeTerms` makes these texts, and rows carry checksums.
  return { ...noTerms, ...(JSON.parse(text) as Partial<RequestTerms>) };
}
