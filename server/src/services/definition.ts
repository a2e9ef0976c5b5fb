// A service's definition as the engine keeps it: JSON text with a format version first. Only what
// was declared and decided is stored; settings are computed from it anew at each start.

import { PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import { type TokenSet, tokenScopes } from './tokens.ts';

const format = 1;
/** Revisions that are remembered, and changed fields named for each. */
const historyMax = 20;
const changedMax = 50;

export interface Revision {
  readonly revision: number;
  /** Wall clock. */
  readonly at: number;
  /** Places of the fields that changed, `queue.max_delivery`. */
  readonly changed: readonly string[];
}

export interface Definition {
  /** `deleting`: the wish is durable; whatever is left goes, after a crash at the next start. */
  readonly state: 'live' | 'deleting';
  /** The user's file as it was given. */
  readonly file: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  readonly tokens: TokenSet;
  readonly revision: number;
  readonly sourceRevision: number;
  /** Wall clock. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** The latest revisions, the newest last. */
  readonly history: readonly Revision[];
}

const definitionSchema: z.ZodType<Definition> = z.object({
  state: z.enum(['live', 'deleting']),
  file: z.record(z.string(), z.unknown()),
  warnings: z.array(z.string()),
  tokens: z.object({
    main: z.union([
      z.object({ kind: z.literal('open') }),
      z.object({ kind: z.literal('secret'), secret: z.string() }),
    ]),
    further: z.array(
      z.object({ name: z.string(), secret: z.string(), scopes: z.array(z.enum(tokenScopes)) }),
    ),
  }),
  revision: z.int(),
  sourceRevision: z.int(),
  createdAt: z.number(),
  updatedAt: z.number(),
  history: z.array(z.object({ revision: z.int(), at: z.number(), changed: z.array(z.string()) })),
});

/** The history with one more revision; the oldest goes. */
export function withRevision(history: readonly Revision[], next: Revision): readonly Revision[] {
  const changed = next.changed.slice(0, changedMax);
  return [...history, { ...next, changed }].slice(-historyMax);
}

export function encodeDefinition(definition: Definition): string {
  return JSON.stringify({ format, ...definition });
}

/** undefined: the text is damaged. Throws when it was written by a newer Sluice. */
export function decodeDefinition(name: string, text: string): Definition | undefined {
  const value = decoded(name, text);
  return value === undefined ? undefined : definitionSchema.safeParse(value).data;
}

/** Stands for a definition that is damaged, until its file is applied again: it lets nobody in. */
export function lostDefinition(name: string, tokens: TokenSet, at: number): Definition {
  return {
    state: 'live',
    file: { metadata: { name } },
    warnings: [],
    tokens,
    revision: 0,
    sourceRevision: 0,
    createdAt: at,
    updatedAt: at,
    history: [],
  };
}

/** The row of the registry's own, beside those of services: the last number given out. */
export const counterRow = { number: 0, name: '.registry' } as const;

const counterSchema = z.object({ lastNumber: z.int().min(0) });

export function encodeCounter(lastNumber: number): string {
  return JSON.stringify({ format, lastNumber });
}

/** Throws when the text is damaged: numbers would be given out twice. */
export function decodeCounter(text: string): number {
  const result = counterSchema.safeParse(decoded(counterRow.name, text));
  if (result.success) return result.data.lastNumber;
  throw new PlatformError('internal', 'the stored counter of services is damaged', {
    cause: result.error,
  });
}

const formatSchema = z.object({ format: z.int() });

/** undefined: no JSON, or none that names its format. */
function decoded(name: string, text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const head = formatSchema.safeParse(value);
  if (!head.success) return undefined;
  if (head.data.format === format) return value;
  throw new PlatformError(
    'internal',
    `the definition of ${name} has format ${head.data.format}, this Sluice reads ${format}: ` +
      'the data folder was used by a newer one',
  );
}
