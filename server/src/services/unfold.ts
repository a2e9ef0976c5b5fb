// A file in the nested spelling, with everything in it kept: foreign fields, those without effect,
// and null, which `settle` leaves out. Changes are laid over files of this form.

import { type FieldNode, fieldTree, isObject } from './fields-tree.ts';

/** Values by field, nested. Own properties only, whatever their names. */
export type Tree = Readonly<Record<string, unknown>>;

/** The file nested: `"rpc.worker_threads": 4` inside of `metadata` is `"rpc": {...}`. */
export function unfold(file: Tree, node: FieldNode = fieldTree): Tree {
  const result = new Map<string, unknown>();
  for (const [key, value] of Object.entries(file)) {
    const { head, rest, child } = splitName(node, key);
    const inner = rest === undefined ? value : { [rest]: value };
    const unfolded = unfoldValue(inner, child);
    const known = result.get(head);
    result.set(head, isObject(known) && isObject(unfolded) ? laidOver(known, unfolded) : unfolded);
  }
  return Object.fromEntries(result);
}

/** Both together; where both say something, the second counts. */
function laidOver(below: Tree, above: Tree): Tree {
  const result = new Map(Object.entries(below));
  for (const [key, value] of Object.entries(above)) {
    const known = result.get(key);
    result.set(key, isObject(known) && isObject(value) ? laidOver(known, value) : value);
  }
  return Object.fromEntries(result);
}

function unfoldValue(value: unknown, node: FieldNode | undefined): unknown {
  if (Array.isArray(value) && node?.kind === 'list') {
    return value.map((item) => (isObject(item) ? unfold(item, node) : item));
  }
  if (!isObject(value)) return value;
  if (node?.kind === 'object' || node?.kind === 'ignored') return unfold(value, node);
  return value;
}

export interface SplitName {
  readonly head: string;
  /** What follows after the first dot; undefined: nothing. */
  readonly rest: string | undefined;
  /** undefined: nobody knows the field. */
  readonly child: FieldNode | undefined;
}

/** The first field of a dotted name. Free names, of labels for one, are never taken apart. */
export function splitName(node: FieldNode, name: string): SplitName {
  const whole = node.children.get(name);
  if (whole !== undefined) return { head: whole.name, rest: undefined, child: whole };
  const dot = name.indexOf('.');
  const head = name.slice(0, Math.max(dot, 0));
  const child = node.kind === 'ignored' ? node : node.children.get(head);
  const isOpen = child !== undefined && child.kind !== 'leaf' && child.kind !== 'list';
  if (dot < 1 || !isOpen) {
    const free = node.kind === 'ignored' ? node : undefined;
    return { head: name, rest: undefined, child: free };
  }
  const known = node.kind === 'ignored' ? head : child.name;
  return { head: known, rest: name.slice(dot + 1), child };
}
