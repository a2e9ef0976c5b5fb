// Arrays inside a PMML file: `<Array n="2" type="string">a "b c"</Array>`, numbers likewise, and
// arrays that give only what differs from zero.

import { type Element, parseNumber } from './element.ts';

/** Longer than any in use, and less than what one number could make the process allocate. */
const sparseMax = 10_000_000;

/** The items of an Array as text; the attribute n has to agree. */
export function textsOf(array: Element): readonly string[] {
  array.ignore('type');
  const items: string[] = [];
  for (const match of array.content().matchAll(/"((?:\\.|[^"\\])*)"|[^\s"]+/gs)) {
    items.push(match[1] === undefined ? match[0] : match[1].replace(/\\(["\\])/g, '$1'));
  }
  const count = array.optionalNumber('n');
  if (count !== undefined && count !== items.length) {
    array.refuse(`it has ${items.length} items where n says ${count}`);
  }
  return items;
}

/** The numbers of an Array, REAL-SparseArray or INT-SparseArray. */
export function numbersOf(array: Element): readonly number[] {
  if (array.name === 'Array') return textsOf(array).map((text) => number(text, array));
  const prefix = array.name === 'INT-SparseArray' ? 'INT' : 'REAL';
  const indices = listed(array.optionalChild('Indices'));
  const entries = listed(array.optionalChild(`${prefix}-Entries`));
  if (indices.length !== entries.length) array.refuse('it has not as many indices as entries');
  const length = array.optionalNumber('n') ?? indices.reduce((most, at) => Math.max(most, at), 0);
  if (!Number.isInteger(length) || length < 0 || length > sparseMax) {
    array.refuse(`n="${length}" is no length of an array`);
  }
  const numbers = new Array<number>(length).fill(array.optionalNumber('defaultValue') ?? 0);
  for (const [at, index] of indices.entries()) {
    if (!Number.isInteger(index) || index < 1 || index > length) {
      array.refuse(`the index ${index} is not from 1 to ${length}`);
    }
    numbers[index - 1] = entries[at] ?? 0;
  }
  return numbers;
}

/** The names of the elements that `numbersOf` reads. */
export const numberArrays: readonly string[] = ['Array', 'REAL-SparseArray', 'INT-SparseArray'];

function listed(element: Element | undefined): readonly number[] {
  if (element === undefined) return [];
  const text = element.content();
  return text === '' ? [] : text.split(/\s+/).map((each) => number(each, element));
}

function number(text: string, where: Element): number {
  return parseNumber(text) ?? where.refuse(`"${text}" is not a number`);
}
