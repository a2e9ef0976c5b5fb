// The tree of known fields, read off the schema: which names exist where, and which of them have
// an effect.

import { fileJsonSchema } from './schema.ts';

export interface FieldNode {
  /** Of a field that has two names, the one that counts; empty for the file. */
  readonly name: string;
  /** `map`: free names; `list`: of objects; `leaf`: any other value; `ignored`: without effect. */
  readonly kind: 'object' | 'list' | 'map' | 'leaf' | 'ignored';
  /** Of an object, or of a list's items. */
  readonly children: ReadonlyMap<string, FieldNode>;
  /** What a value must be, in words, and what each value inside of it. */
  readonly expected: string;
  readonly each: string;
}

/** Whether a JSON value is an object, and not a list. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a map must be, by what each of its values must. */
const mapWords: ReadonlyMap<string, string> = new Map([
  ['a number', 'an object of numbers'],
  ['of another kind', 'an object'],
]);

/** The whole tree. Made once. */
export const fieldTree: FieldNode = nodeOf('', fileJsonSchema());

/** Every known name below `node` with its place, `rpc.worker_threads`, outside of lists. */
export function* placesBelow(node: FieldNode): Generator<readonly [string, FieldNode]> {
  for (const [name, child] of node.children) {
    yield [name, child];
    if (child.kind !== 'object') continue;
    for (const [rest, below] of placesBelow(child)) yield [`${name}.${rest}`, below];
  }
}

/** What a value at a place such as `containers[0].port` must be, in words. */
export function expectedAt(path: readonly PropertyKey[]): string {
  let node: FieldNode = fieldTree;
  let expected = node.expected;
  for (const part of path) {
    const child = typeof part === 'string' ? node.children.get(part) : undefined;
    expected = child === undefined ? node.each : child.expected;
    node = child ?? node;
  }
  return expected;
}

function nodeOf(name: string, schema: unknown): FieldNode {
  const children = new Map<string, FieldNode>();
  if (!isObject(schema) || schema['x-ignored'] === true) {
    return { name, kind: 'ignored', children, expected: '', each: '' };
  }
  if (isObject(schema.properties)) {
    const children = childrenOf(schema.properties);
    return { name, kind: 'object', children, expected: 'an object', each: '' };
  }
  const { items, additionalProperties: values } = schema;
  if (isObject(items) && isObject(items.properties)) {
    const children = childrenOf(items.properties);
    return { name, kind: 'list', children, expected: 'a list of objects', each: 'an object' };
  }
  if (schema.type === 'object') {
    const each = eachOf(values);
    const expected = mapWords.get(each) ?? 'an object of texts';
    return { name, kind: 'map', children, expected, each };
  }
  return { name, kind: 'leaf', children, expected: expectedOf(schema), each: eachOf(items) };
}

function eachOf(items: unknown): string {
  return isObject(items) ? expectedOf(items) : '';
}

function childrenOf(properties: Readonly<Record<string, unknown>>): Map<string, FieldNode> {
  const children = new Map<string, FieldNode>();
  for (const [name, schema] of Object.entries(properties)) {
    const child = nodeOf(name, schema);
    children.set(name, child);
    const also = isObject(schema) ? schema['x-also'] : undefined;
    if (typeof also === 'string') children.set(also, child);
  }
  return children;
}

/** What a value must be, in words. */
export function expectedOf(schema: Readonly<Record<string, unknown>>): string {
  if (Array.isArray(schema.enum)) {
    const values = schema.enum.map((value) => JSON.stringify(value));
    return values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`;
  }
  if (Array.isArray(schema.anyOf)) return schema.anyOf.map(eachOf).join(' or ');
  const { minimum, maximum, maxItems, maxLength } = schema;
  switch (schema.type) {
    case 'integer':
      return `a whole number from ${minimum} to ${maximum}`;
    case 'number':
      return minimum === undefined ? 'a number' : `a number from ${minimum} to ${maximum}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list of at most ${maxItems} items`;
    case 'string':
      return maxLength === undefined ? 'text' : `text of at most ${maxLength} characters`;
    default:
      return 'of another kind';
  }
}
