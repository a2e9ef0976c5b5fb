// Settles the spelling of a file before its values are looked at: dotted and nested names become
// one nested form, null counts as absent, and names that nobody knows are told apart into
// misspelt and foreign ones.

import { type FieldNode, fieldTree, isObject, placesBelow } from './fields-tree.ts';
import { editDistance, nearest } from './near.ts';

/** One mistake: where, and what to change. */
export interface Problem {
  /** In the nested spelling, `metadata.rpc.worker_threads`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

export interface SettledFile {
  /** Known fields only, nested; safe to hand on: no foreign name is in it. */
  readonly value: Readonly<Record<string, unknown>>;
  /** Places of known fields that have no effect. */
  readonly ignored: readonly string[];
  /** Places of foreign fields. */
  readonly unknown: readonly string[];
  readonly problems: readonly Problem[];
}

/** Settles the spelling of a JSON value. Never throws; mistakes are in `problems`. */
export function settle(input: unknown): SettledFile {
  const result: Settling = { ignored: new Set(), unknown: [], problems: [] };
  const value: Target = {};
  if (isObject(input)) {
    enter(value, fieldTree, input, '', result);
  } else {
    result.problems.push({ path: '', message: 'the file must be one JSON object' });
  }
  return { value, ...result, ignored: [...result.ignored] };
}

/** Only ever gets known names, so plain objects are safe. */
type Target = Record<string, unknown>;

interface Settling {
  readonly ignored: Set<string>;
  readonly unknown: string[];
  readonly problems: Problem[];
}

function enter(
  target: Target,
  node: FieldNode,
  input: Readonly<Record<string, unknown>>,
  path: string,
  result: Settling,
): Target {
  for (const [key, value] of Object.entries(input)) {
    const whole = node.children.get(key);
    if (whole !== undefined) {
      assign(target, whole, value, join(path, whole.name), result);
      continue;
    }
    const dot = key.indexOf('.');
    const head = key.slice(0, Math.max(dot, 0));
    const child = node.children.get(head);
    if (child !== undefined && child.kind !== 'leaf' && child.kind !== 'list') {
      const rest = { [key.slice(dot + 1)]: value };
      assign(target, child, rest, join(path, child.name), result);
    } else {
      strange(node, key, path, result);
    }
  }
  return target;
}

function assign(
  target: Target,
  node: FieldNode,
  value: unknown,
  path: string,
  result: Settling,
): void {
  const { name: key } = node;
  if (value === null) return;
  if (node.kind === 'ignored') {
    result.ignored.add(path);
  } else if (node.kind === 'list' && Array.isArray(value)) {
    const enterItem = (item: unknown, at: number): unknown =>
      isObject(item) ? enter({}, node, item, `${path}[${at}]`, result) : item;
    assignOnce(target, key, value.map(enterItem), path, result);
  } else if ((node.kind === 'object' || node.kind === 'map') && isObject(value)) {
    const inner = target[key] ?? {};
    if (!isObject(inner)) twice(path, result);
    else if (node.kind === 'map') target[key] = mergeMap(inner, value, path, result);
    else target[key] = enter({ ...inner }, node, value, path, result);
  } else {
    assignOnce(target, key, value, path, result);
  }
}

/** Free names: `fromEntries` makes own properties even of `__proto__`. */
function mergeMap(
  known: Readonly<Record<string, unknown>>,
  added: Readonly<Record<string, unknown>>,
  path: string,
  result: Settling,
): Target {
  const entries = new Map(Object.entries(known));
  for (const [name, value] of Object.entries(added)) {
    if (value === null) continue;
    if (entries.has(name) && !isSame(entries.get(name), value)) twice(join(path, name), result);
    entries.set(name, value);
  }
  return Object.fromEntries(entries);
}

function assignOnce(
  target: Target,
  key: string,
  value: unknown,
  path: string,
  result: Settling,
): void {
  if (target[key] === undefined) target[key] = value;
  else if (!isSame(target[key], value)) twice(path, result);
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function twice(path: string, result: Settling): void {
  result.problems.push({ path, message: 'is given twice, in two spellings with two values' });
}

function strange(node: FieldNode, key: string, path: string, result: Settling): void {
  const place = join(path, key);
  const meant = nearest(key, mapFirst(placesBelow(node)));
  const suggestion = meant === undefined ? misplaced(key) : join(path, meant);
  if (suggestion === undefined) result.unknown.push(place);
  else result.problems.push({ path: place, message: `is unknown; did you mean ${suggestion}?` });
}

/** A distinctive name with an effect, in a wrong place: `max_delivery` belongs to `queue`. */
function misplaced(key: string): string | undefined {
  if (!/[._]/.test(key)) return undefined;
  for (const [place, node] of placesBelow(fieldTree)) {
    if (node.kind === 'ignored') continue;
    const parts = place.split('.');
    const ends = parts.map((_, at) => parts.slice(at).join('.'));
    if (ends.some((end) => editDistance(end, key) < 2)) return place;
  }
  return undefined;
}

function* mapFirst(places: Iterable<readonly [string, FieldNode]>): Generator<string> {
  for (const [place] of places) yield place;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
