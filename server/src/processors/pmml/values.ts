// Values and their types: how texts of a PMML file and values of a caller become values of a field,
// and how they are written in an answer. Types of dates that count from a year become numbers.

import {
  dateText,
  dateTimeText,
  daysSinceYear,
  parseDate,
  parseDateTime,
  parseTime,
  secondsSinceYear,
  timeText,
} from './dates.ts';
import { parseNumber } from './element.ts';
import type { DataType, OpType, Value } from './model.ts';

/** A data type as a file names it. */
export interface NamedType {
  readonly dataType: DataType;
  /** For types as dateDaysSince[1960]: what turns a date's text into its number. */
  readonly count?: (text: string) => number | undefined;
}

const plain: readonly DataType[] = [
  'string',
  'integer',
  'float',
  'double',
  'boolean',
  'date',
  'time',
  'dateTime',
];

/** The type that a file names; undefined for a name that PMML does not have. */
export function typeNamed(name: string): NamedType | undefined {
  const dataType = plain.find((each) => each === name);
  if (dataType !== undefined) return { dataType };
  if (name === 'timeSeconds') {
    return { dataType: 'integer', count: (text) => scaled(parseTime(text), 1000) };
  }
  const since = /^date(Days|TimeSeconds)Since\[(\d{1,4})\]$/.exec(name);
  if (since === null) return undefined;
  const year = Number(since[2]);
  const count = since[1] === 'Days' ? daysSinceYear : secondsSinceYear;
  return {
    dataType: 'integer',
    count: (text) => {
      const instant = parseDateTime(text);
      return instant === undefined ? undefined : count(instant, year);
    },
  };
}

/** Whether values of a type are numbers to count with. */
export function isNumeric(dataType: DataType): boolean {
  return dataType === 'integer' || dataType === 'float' || dataType === 'double';
}

/** What a type is used as where a file does not say. */
export function opTypeOf(dataType: DataType): OpType {
  return isNumeric(dataType) ? 'continuous' : 'categorical';
}

/**
 * The value that a text stands for; undefined if it stands for none. Numbers of integer fields may
 * have a fraction here: trees split between whole numbers.
 */
export function parseValue(text: string, dataType: DataType): Value {
  switch (dataType) {
    case 'string':
      return text;
    case 'integer':
    case 'double':
      return parseNumber(text);
    case 'float': {
      const number = parseNumber(text);
      return number === undefined ? undefined : Math.fround(number);
    }
    case 'boolean':
      return parseBoolean(text);
    case 'date':
      return parseDate(text);
    case 'time':
      return parseTime(text);
    case 'dateTime':
      return parseDateTime(text);
  }
}

/** A value of one type as one of another; undefined if there is none, as for 2.5 as an integer. */
export function cast(value: Value, from: DataType, to: DataType): Value {
  if (value === undefined || from === to) return value;
  if (isNumeric(to) && typeof value === 'number' && isNumeric(from)) return asNumber(value, to);
  if (isNumeric(to) && typeof value === 'boolean') return value ? 1 : 0;
  if (to === 'boolean' && typeof value === 'number' && isNumeric(from)) {
    return value === 1 ? true : value === 0 ? false : undefined;
  }
  if (to === 'dateTime' && from === 'date') return value;
  if (to === 'string') return textOf(value, from);
  return typeof value === 'string' ? given(value, to) : undefined;
}

/** What a caller gave (JSON or a cell of CSV) as a value; undefined if it isn't one of the type. */
export function given(value: unknown, dataType: DataType): Value {
  if (typeof value === 'string') {
    const parsed = parseValue(value, dataType);
    return typeof parsed === 'number' && isNumeric(dataType) ? asNumber(parsed, dataType) : parsed;
  }
  if (typeof value === 'number') {
    if (isNumeric(dataType)) return asNumber(value, dataType);
    if (dataType === 'boolean') return value === 1 ? true : value === 0 ? false : undefined;
    return dataType === 'string' ? String(value) : undefined;
  }
  if (typeof value === 'boolean') {
    if (dataType === 'boolean') return value;
    return dataType === 'string' ? String(value) : undefined;
  }
  return undefined;
}

/** A value as text, as names of categories and formulas over texts want it. */
export function textOf(value: Exclude<Value, undefined>, dataType: DataType): string {
  const shown = answered(value, dataType);
  return typeof shown === 'string' ? shown : String(shown);
}

/** A value as it stands in an answer; null where it is missing or no number that JSON has. */
export function answered(value: Value, dataType: DataType): string | number | boolean | null {
  if (value === undefined) return null;
  if (typeof value !== 'number') return value;
  if (dataType === 'date') return dateText(value);
  if (dataType === 'time') return timeText(value);
  if (dataType === 'dateTime') return dateTimeText(value);
  return Number.isFinite(value) ? value : null;
}

function asNumber(value: number, to: DataType): number | undefined {
  if (to === 'float') return Math.fround(value);
  return to === 'integer' && !Number.isInteger(value) ? undefined : value;
}

function parseBoolean(text: string): boolean | undefined {
  const lower = text.trim().toLowerCase();
  if (lower === 'true' || lower === '1' || lower === '1.0') return true;
  return lower === 'false' || lower === '0' || lower === '0.0' ? false : undefined;
}

function scaled(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : Math.floor(value / by);
}
