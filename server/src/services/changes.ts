// What differs between two files, by place.

import type { FieldChange } from '@sluice/sdk/wire';
import { isObject } from './fields-tree.ts';

type Values = Readonly<Record<string, unknown>>;

/** A file in two forms, as `checkService` makes them. */
export interface FileValues {
  /** In one spelling, with every default. */
  readonly complete: Values;
  /** Nested, values as they were written. */
  readonly settled: Values;
}

/**
 * The differences of two files by meaning, in order, with their values as they were written, or the
 * default where nothing was; of a file alone all that it says.
 */
export function differences(
  before: FileValues | undefined,
  after: FileValues,
): readonly FieldChange[] {
  const found: FieldChange[] = [];
  if (before === undefined) {
    collect({ path: '', before: {}, after: after.settled, shown: [{}, after.settled] }, found);
  } else {
    const shown = [before.settled, after.settled] as const;
    collect({ path: '', before: before.complete, after: after.complete, shown }, found);
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The same without what nobody may read. */
export function withoutSecretValues(changes: readonly FieldChange[]): readonly FieldChange[] {
  return changes.map(({ path, before, after }) =>
    isSecretPlace(path)
      ? { path, before: hidden(before), after: hidden(after) }
      : { path, before, after },
  );
}

/** Fields of the file that hold secrets, at its top. */
function isSecretPlace(path: string): boolean {
  return path === 'token' || path === 'dockerAuth';
}

/** A file for everybody's eyes. */
export function withoutSecrets(
  file: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(file).map(
    ([name, value]) => [name, isSecretPlace(name) ? hidden(value) : value] as const,
  );
  return Object.fromEntries(entries);
}

/** What is shown of a secret; that there is none may be known. */
function hidden(value: unknown): unknown {
  return value === null || value === undefined || value === '' ? value : '***';
}

interface Pair {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
  /** The same places as they were written. */
  readonly shown: readonly [before: unknown, after: unknown];
}

function collect(pair: Pair, found: FieldChange[]): void {
  const { path, before, after, shown } = pair;
  if (isNew(before, after)) {
    // Of a whole new block what was written is of interest, not what it left out.
    const [from, to] = [before && (shown[0] ?? before), after && (shown[1] ?? after)];
    for (const name of namesIn(from, to))
      collect(inside({ ...pair, before: from, after: to }, name), found);
  } else if (isObject(before) && isObject(after)) {
    for (const name of namesIn(before, after)) collect(inside(pair, name), found);
  } else if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    for (let at = 0; at < length; at++) collect(inside(pair, at), found);
  } else if (before !== after) {
    found.push({ path, before: shown[0] ?? before ?? null, after: shown[1] ?? after ?? null });
  }
}

function inside({ path, before, after, shown }: Pair, key: string | number): Pair {
  const name = path === '' ? `${key}` : `${path}.${key}`;
  return {
    path: typeof key === 'number' ? `${path}[${key}]` : name,
    before: own(before, key),
    after: own(after, key),
    shown: [own(shown[0], key), own(shown[1], key)],
  };
}

/** An object where nothing was, or nothing where one was: its fields are named one by one. */
function isNew(before: unknown, after: unknown): boolean {
  if (before === undefined) return keysOf(after).length > 0;
  return after === undefined && keysOf(before).length > 0;
}

const namesIn = (before: unknown, after: unknown): ReadonlySet<string> =>
  new Set([...keysOf(before), ...keysOf(after)]);

const keysOf = (value: unknown): readonly string[] => (isObject(value) ? Object.keys(value) : []);

/** Whether a place is the other one or inside of it. */
export function isAtOrBelow(place: string, outer: string): boolean {
  return place.startsWith(outer) && /^(?:$|[.[])/.test(place.slice(outer.length));
}

function own(value: unknown, name: string | number): unknown {
  return isContainer(value) && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

const isContainer = (value: unknown): value is object =>
  typeof value === 'object' && value !== null;
