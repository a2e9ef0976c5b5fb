// Changes of some fields of a file: another file laid over it (RFC 7396), or single places set to
// values that came as text. What comes out is checked as a whole file by whoever uses it.

import type { ServiceChange } from '@sluice/sdk/wire';
import { parseJsonc } from '../config/jsonc.ts';
import { type FieldNode, fieldTree, isObject } from './fields-tree.ts';
import { ServiceFileError } from './parse.ts';
import { type Problem, settle } from './spelling.ts';
import { type Tree, unfold } from './unfold.ts';

/** The file with another block of that name, or without it; texts in it are read as after -D. */
export function withBlock(file: Tree, name: string, block: Tree | undefined): Tree {
  const result = new Map(Object.entries(unfold(file)));
  result.delete(name);
  if (block !== undefined) {
    const given = { [name]: block };
    const { problems } = settle(given);
    if (problems.length > 0) throw new ServiceFileError(problems);
    result.set(name, readTexts(unfold(given)[name], fieldTree.children.get(name)));
  }
  return Object.fromEntries(result);
}

/** Values that came as text, where the field takes more than that. */
function readTexts(value: unknown, node: FieldNode | undefined): unknown {
  if (typeof value === 'string') return readValue(value, node);
  if (Array.isArray(value)) {
    const item = node && itemOf(node);
    return value.map((each) => readTexts(each, item));
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => {
    const each = node?.kind === 'map' ? { ...node, expected: node.each } : node?.children.get(key);
    return [key, readTexts(inner, each)] as const;
  });
  return Object.fromEntries(entries);
}

/** The file with the change; throws a `ServiceFileError` for what can't be laid over it. */
export function changedFile(file: Tree, { merge, set = {} }: ServiceChange): Tree {
  const merged = merge === undefined ? unfold(file) : mergedFile(unfold(file), merge);
  const problems: Problem[] = [];
  let result = merged;
  for (const [place, text] of Object.entries(set)) {
    if (place === '' || /^\.|\.\.|\.$/.test(place)) {
      problems.push({
        path: place,
        message: 'is no place; they are named as in queue.max_delivery',
      });
      continue;
    }
    const changed = withPlace(result, fieldTree, { rest: place, text, place, problems });
    if (isObject(changed)) result = changed;
  }
  if (problems.length > 0) throw new ServiceFileError(problems);
  return result;
}

function mergedFile(file: Tree, given: unknown): Tree {
  const patch = typeof given === 'string' ? readText(given) : given;
  const { problems } = settle(patch);
  if (problems.length > 0 || !isObject(patch)) throw new ServiceFileError(problems);
  return laidOver(file, unfold(patch));
}

function readText(text: string): unknown {
  try {
    return parseJsonc(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ServiceFileError([{ path: '', message: `not JSON: ${reason}` }]);
  }
}

function laidOver(file: Tree, patch: Tree): Tree {
  const result = new Map(Object.entries(file));
  for (const [name, value] of Object.entries(patch)) {
    const known = result.get(name);
    if (value === null) result.delete(name);
    else if (isObject(value)) result.set(name, laidOver(isObject(known) ? known : {}, value));
    else result.set(name, value);
  }
  return Object.fromEntries(result);
}

interface Setting {
  /** What is left of the place. */
  readonly rest: string;
  readonly text: string;
  readonly place: string;
  readonly problems: Problem[];
}

/** The value at a node after the setting; undefined: it goes. */
function withPlace(value: unknown, node: FieldNode | undefined, setting: Setting): unknown {
  const { rest, text } = setting;
  if (rest === '') return readValue(text, node);
  const plain = node?.kind === 'list' ? /^(\d{1,6})(?:\.|(?=\[)|$)/.exec(rest) : null;
  const index = plain ?? /^\[(\d{1,6})\](?:\.|(?=\[)|$)/.exec(rest);
  if (index !== null && node?.kind !== 'map') {
    const at = Number(index[1]);
    return withItem(value, node, at, { ...setting, rest: rest.slice(index[0].length) });
  }
  const { name, after, child } = stepInto(node, rest);
  const known = isObject(value) ? value : {};
  const inner = Object.hasOwn(known, name) ? known[name] : undefined;
  const changed = withPlace(inner, child, { ...setting, rest: after });
  const result = new Map(Object.entries(known));
  if (changed === undefined) result.delete(name);
  else result.set(name, changed);
  return Object.fromEntries(result);
}

function withItem(
  value: unknown,
  node: FieldNode | undefined,
  at: number,
  setting: Setting,
): unknown {
  const { place: path, problems } = setting;
  const alone = value === undefined ? [] : [value];
  const items: readonly unknown[] = Array.isArray(value) ? value : alone;
  if (at > items.length) {
    const message = `there are ${items.length} items; the next is [${items.length}]`;
    problems.push({ path, message });
    return value;
  }
  const item = node === undefined ? undefined : itemOf(node);
  const changed = withPlace(items[at], item, setting);
  return changed === undefined
    ? items.toSpliced(at, 1)
    : [...items.slice(0, at), changed, ...items.slice(at + 1)];
}

/** An item of a list of objects has the list's fields; of other lists its own kind of value. */
function itemOf(node: FieldNode): FieldNode {
  if (node.kind === 'list') return { ...node, kind: 'object' };
  return { ...node, expected: node.each, each: '' };
}

interface Step {
  readonly name: string;
  readonly after: string;
  readonly child: FieldNode | undefined;
}

/** The next field on the way; the names of labels and metrics are free, dots and all. */
function stepInto(node: FieldNode | undefined, rest: string): Step {
  if (node?.kind === 'map') {
    return { name: rest, after: '', child: { ...node, kind: 'leaf', expected: node.each } };
  }
  // A bracket without a number is a name like any other.
  const end = rest.startsWith('[') ? -1 : rest.search(/[.[]/);
  const given = end < 0 ? rest : rest.slice(0, end);
  const child = node?.children.get(given);
  const after = end < 0 ? '' : rest.slice(rest[end] === '.' ? end + 1 : end);
  return { name: child?.name ?? given, after, child };
}

/** A value given as text: JSON where the field takes more than text; undefined for `null`. */
export function readValue(text: string, node: FieldNode | undefined): unknown {
  if (text.trim() === 'null') return undefined;
  const isText = node !== undefined && /^text\b(?!.* or )/.test(node.expected);
  if (isText && !/^".*"$/s.test(text)) return text;
  if (!/^\s*(?:[-\d[{"]|true\s*$|false\s*$)/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
