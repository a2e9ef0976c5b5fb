// What differs between two files, by place.

import type { FieldChange } from '@sluice/sdk/wire';
import { isObject } from './fields-tree.ts';

type Values = Readonly<Record<string, unknown>>;

/** Places whose values differ, `queue.max_delivery`, in order; empty when both mean the same. */
export function changedPlaces(before: Values, after: Values): readonly string[] {
  return differences(before, after).map(({ path }) => path);
}

/** The differences of two files in one spelling, in order, as values to show. */
export function differences(before: Values, after: Values): readonly FieldChange[] {
  const found: FieldChange[] = [];
  collect(before, after, '', found);
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
export function isSecretPlace(path: string): boolean {
  return path === 'token' || path === 'dockerAuth';
}

/** What is shown of a secret; that there is none may be known. */
export function hidden(value: unknown): unknown {
  return value === null || value === undefined || value === '' ? value : '***';
}

function collect(before: unknown, after: unknown, path: string, found: FieldChange[]): void {
  if (isObject(before) && isObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const name of names) {
      collect(own(before, name), own(after, name), path === '' ? name : `${path}.${name}`, found);
    }
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let at = 0; at < Math.max(before.length, after.length); at++) {
      collect(before[at], after[at], `${path}[${at}]`, found);
    }
  } else if (before !== after) {
    found.push({ path, before: before ?? null, after: after ?? null });
  }
}

function own(value: Values, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}
