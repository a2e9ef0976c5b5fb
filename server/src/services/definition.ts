// A service's definition as the engine keeps it: JSON text with a format version first. Only what
// was declared and decided is stored; settings are computed from it anew at each start.

import { PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import { fromFormat1 } from './definition-1.ts';
import type { Revision } from './history.ts';
import { type TokenSet, tokenScopes } from './tokens.ts';

/** What is written. Read are this one and format 1. */
const format = 2;

/**
 * What the user wants of the service. Each wish is durable before it is acted on; whatever is left
 * to do after a crash, the next start does.
 */
export type DefinitionState =
  | 'live'
  /** Stopped, but its instances may still run and its queues be open. */
  | 'stopping'
  /** Nothing runs and the queues are closed. */
  | 'stopped'
  | 'deleting';

/** What a closed queue holds: nothing changes in it until it is opened again. */
export interface RestingQueue {
  readonly length: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
}

export interface Definition {
  readonly state: DefinitionState;
  /** The user's file as it was given. */
  readonly file: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  readonly tokens: TokenSet;
  readonly revision: number;
  /** Names the launch that instances are wanted of. */
  readonly sourceRevision: number;
  /** Wall clock. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** The latest revisions, the newest last; that one's file is `file`. */
  readonly history: readonly Revision[];
  /** How many instances the autoscaler wants; undefined: as many as declared. */
  readonly scaledTo?: number | undefined;
  /** Of a stopped service: its queues by name. */
  readonly resting?: Readonly<Record<string, RestingQueue>> | undefined;
}

const count = z.int().min(0);
const file = z.record(z.string(), z.unknown());

const definitionSchema: z.ZodType<Definition> = z.object({
  state: z.enum(['live', 'stopping', 'stopped', 'deleting']),
  file,
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
  history: z.array(
    z.object({
      revision: z.int(),
      sourceRevision: z.int(),
      at: z.number(),
      changed: z.array(z.string()),
      text: z.string(),
      file: file.optional(),
      failed: z.string().optional(),
      proven: z.boolean().optional(),
    }),
  ),
  scaledTo: count.optional(),
  resting: z
    .record(z.string(), z.object({ length: count, firstIndex: count, lastIndex: count }))
    .optional(),
});

export function encodeDefinition(definition: Definition): string {
  return JSON.stringify({ format, ...definition });
}

/** undefined: the text is damaged. Throws when it was written by a newer Sluice. */
export function decodeDefinition(name: string, text: string): Definition | undefined {
  const stored = decoded(name, text);
  if (stored === undefined) return undefined;
  const value = stored.format === 1 ? fromFormat1(stored.value) : stored.value;
  return definitionSchema.safeParse(value).data;
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

/** Whether it only stands for one that is damaged. */
export function isLost({ revision }: Definition): boolean {
  return revision === 0;
}

/** The row of the registry's own, beside those of services: the last number given out. */
export const counterRow = { number: 0, name: '.registry' } as const;

/** Its form has not changed since the first version. */
const counterFormat = 1;
const counterSchema = z.object({ lastNumber: z.int().min(0) });

export function encodeCounter(lastNumber: number): string {
  return JSON.stringify({ format: counterFormat, lastNumber });
}

/** Throws when the text is damaged: numbers would be given out twice. */
export function decodeCounter(text: string): number {
  const result = counterSchema.safeParse(decoded(counterRow.name, text)?.value);
  if (result.success) return result.data.lastNumber;
  throw new PlatformError('internal', 'the stored counter of services is damaged', {
    cause: result.error,
  });
}

const formatSchema = z.object({ format: z.int().min(1) });

/** undefined: no JSON, or none that names its format. */
function decoded(
  name: string,
  text: string,
): { readonly format: number; readonly value: unknown } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const head = formatSchema.safeParse(value);
  if (!head.success) return undefined;
  if (head.data.format <= format) return { format: head.data.format, value };
  throw new PlatformError(
    'internal',
    `the definition of ${name} has format ${head.data.format}, this Sluice reads ${format} ` +
      'and older: the data folder was used by a newer one',
  );
}
