// What differs between two files, by place.

import { isObject } from './fields-tree.ts';

/** Places whose values differ, `queue.max_delivery`, in order; empty when both mean the same. */
export function changedPlaces(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly string[] {
  const places: string[] = [];
  collect(before, after, '', places);
  return places.sort();
}

function collect(before: unknown, after: unknown, path: string, places: string[]): void {
  if (isObject(before) && isObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const name of names) {
      collect(own(before, name), own(after, name), path === '' ? name : `${path}.${name}`, places);
    }
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let at = 0; at < Math.max(before.length, after.length); at++) {
      collect(before[at], after[at], `${path}[${at}]`, places);
    }
  } else if (before !== after) {
    places.push(path);
  }
}

function own(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}
