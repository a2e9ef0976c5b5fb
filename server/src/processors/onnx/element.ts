// The types that the elements of a tensor may have: what they are called by onnxruntime and by the
// Open Inference Protocol, how many bytes they take, and how they stand in JSON.

import type { JsonSchema } from '../processor.ts';
import { fromHalf, toHalf } from './half.ts';

/** Elements of bool are 0 and 1, those of float16 their bits: see `half.ts`. */
export type Elements =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

export type NumericElements = Exclude<Elements, string[]>;

export type ElementName =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string';

export interface ElementType {
  readonly name: ElementName;
  /** In the Open Inference Protocol. */
  readonly wire: string;
  /** Of one element; 0 for texts, which have their own lengths. */
  readonly bytes: number;
  readonly schema: JsonSchema;
  make(count: number): Elements;
  /** Puts a JSON value into its place; false when it is none of this type. */
  put(elements: Elements, at: number, value: unknown): boolean;
  /** One element as JSON text. */
  text(elements: Elements, at: number): string;
}

type ArrayMaker = new (count: number) => NumericElements;

/** The type of that name; undefined: there is none, or onnxruntime for Node can't carry it. */
export function elementType(name: string): ElementType | undefined {
  return byName.get(name);
}

/** The type that the Open Inference Protocol calls so. */
export function wireType(wire: string): ElementType | undefined {
  return byWire.get(wire);
}

const numberSchema: JsonSchema = {
  anyOf: [{ type: 'number' }, { enum: ['NaN', 'Infinity', '-Infinity'] }],
};

function float(
  name: ElementName,
  wire: string,
  bytes: number,
  maker: ArrayMaker,
  shown: (value: number) => number,
): ElementType {
  return {
    name,
    wire,
    bytes,
    schema: numberSchema,
    make: (count) => new maker(count),
    put(elements, at, value) {
      const number = typeof value === 'string' ? named(value) : value;
      if (typeof number !== 'number') return false;
      (elements as Float32Array)[at] = number;
      return true;
    },
    text: (elements, at) => floatText(shown((elements as Float32Array)[at] ?? 0)),
  };
}

const half: ElementType = {
  ...float('float16', 'FP16', 2, Uint16Array, (value) => value),
  put(elements, at, value) {
    const number = typeof value === 'string' ? named(value) : value;
    if (typeof number !== 'number') return false;
    (elements as Uint16Array)[at] = toHalf(number);
    return true;
  },
  text: (elements, at) => floatText(shortest(fromHalf((elements as Uint16Array)[at] ?? 0))),
};

function integer(
  name: ElementName,
  wire: string,
  bytes: number,
  maker: ArrayMaker,
  [minimum, maximum]: readonly [number, number],
): ElementType {
  return {
    name,
    wire,
    bytes,
    schema: { type: 'integer', minimum, maximum },
    make: (count) => new maker(count),
    put(elements, at, value) {
      if (typeof value !== 'number' || !Number.isInteger(value)) return false;
      if (value < minimum || value > maximum) return false;
      (elements as Int32Array)[at] = value;
      return true;
    },
    text: (elements, at) => String(elements[at]),
  };
}

// A double holds whole numbers to 2^53 only: longer ones come as texts, and go out as JSON numbers,
// digit for digit.
function long(
  name: ElementName,
  wire: string,
  maker: ArrayMaker,
  [minimum, maximum]: readonly [bigint, bigint],
): ElementType {
  return {
    name,
    wire,
    bytes: 8,
    schema: { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^-?[0-9]{1,20}$' }] },
    make: (count) => new maker(count),
    put(elements, at, value) {
      const isText = typeof value === 'string' && /^-?\d{1,20}$/.test(value);
      if (!isText && !Number.isSafeInteger(value)) return false;
      const whole = BigInt(value as string | number);
      if (whole < minimum || whole > maximum) return false;
      (elements as BigInt64Array)[at] = whole;
      return true;
    },
    text: (elements, at) => String(elements[at]),
  };
}

const bool: ElementType = {
  name: 'bool',
  wire: 'BOOL',
  bytes: 1,
  schema: { enum: [true, false, 0, 1] },
  make: (count) => new Uint8Array(count),
  put(elements, at, value) {
    if (typeof value !== 'boolean' && value !== 0 && value !== 1) return false;
    (elements as Uint8Array)[at] = Number(value);
    return true;
  },
  text: (elements, at) => (elements[at] === 0 ? 'false' : 'true'),
};

const string: ElementType = {
  name: 'string',
  wire: 'BYTES',
  bytes: 0,
  schema: { type: 'string' },
  make: (count) => new Array<string>(count).fill(''),
  put(elements, at, value) {
    if (typeof value !== 'string') return false;
    (elements as string[])[at] = value;
    return true;
  },
  text: (elements, at) => JSON.stringify(elements[at] ?? ''),
};

const types: readonly ElementType[] = [
  float('float32', 'FP32', 4, Float32Array, shortest),
  float('float64', 'FP64', 8, Float64Array, (value) => value),
  half,
  integer('int8', 'INT8', 1, Int8Array, [-128, 127]),
  integer('uint8', 'UINT8', 1, Uint8Array, [0, 255]),
  integer('int16', 'INT16', 2, Int16Array, [-32_768, 32_767]),
  integer('uint16', 'UINT16', 2, Uint16Array, [0, 65_535]),
  integer('int32', 'INT32', 4, Int32Array, [-(2 ** 31), 2 ** 31 - 1]),
  integer('uint32', 'UINT32', 4, Uint32Array, [0, 2 ** 32 - 1]),
  long('int64', 'INT64', BigInt64Array, [-(2n ** 63n), 2n ** 63n - 1n]),
  long('uint64', 'UINT64', BigUint64Array, [0n, 2n ** 64n - 1n]),
  bool,
  string,
];

const byName: ReadonlyMap<string, ElementType> = new Map(types.map((type) => [type.name, type]));
const byWire: ReadonlyMap<string, ElementType> = new Map(types.map((type) => [type.wire, type]));

/** The shortest number that is the same float32: 0.1, not 0.10000000149011612. */
export function shortest(value: number): number {
  for (const digits of [7, 8]) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : value;
}

/** JSON has no word for these, so they are texts both ways. */
function floatText(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}

function named(text: string): number | undefined {
  if (text === 'NaN') return Number.NaN;
  if (text === 'Infinity') return Number.POSITIVE_INFINITY;
  return text === '-Infinity' ? Number.NEGATIVE_INFINITY : undefined;
}
