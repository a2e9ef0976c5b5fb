// The usual body of `POST /` for models that take rows: a JSON object is one row, an array of
// objects many, CSV with a header line many too. Answers have the shape of the question.

import { contentTypeOf, jsonAnswer, jsonOf, textAnswer, textOf, wants } from './content.ts';
import { parseCsv, writeCsv } from './csv.ts';
import { type Answer, type Call, type Field, InputError, type JsonSchema } from './processor.ts';
import type { Row, RowCheck } from './validation.ts';

/** How the rows came. */
export type RowShape = 'one' | 'many' | 'csv';

export interface Rows {
  readonly shape: RowShape;
  /** Checked. Of CSV: turned to what the fields say, without what is empty. */
  readonly rows: readonly Row[];
  /** What errors call each row: undefined for a single one, else its place, or its line in CSV. */
  readonly places: readonly (number | undefined)[];
}

/** The rows of a call. Throws InputError: 415 for other content types. */
export function readRows(call: Call, fields: readonly Field[], check: RowCheck): Rows {
  const type = contentTypeOf(call);
  if (type === 'text/csv') return csvRows(textOf(call), fields, check);
  // What clients send that name nothing, and what the queue's own puts are without a type.
  const isJson = /^application\/(json|.*\+json|octet-stream|x-www-form-urlencoded)$/.test(type);
  if (!isJson && !type.startsWith('text/')) {
    const message = `rows come as application/json or text/csv, not as ${type}`;
    throw new InputError(message, { status: 415 });
  }
  const body = jsonOf(call);
  if (!Array.isArray(body))
    return { shape: 'one', rows: [check(body, undefined)], places: [undefined] };
  const values: readonly unknown[] = body;
  const rows = values.map(check);
  return { shape: 'many', rows, places: values.map((_, at) => at) };
}

/** One answer for each row, in the shape of the question; CSV where Accept asks for it. */
export function rowsAnswer(
  call: Call,
  shape: RowShape,
  answers: readonly Row[],
  columns: readonly string[],
): Answer {
  if (wants(call, 'text/csv', shape === 'csv')) {
    return textAnswer(writeCsv(columns, answers), 'text/csv; charset=utf-8');
  }
  return jsonAnswer(shape === 'one' ? answers[0] : answers);
}

function csvRows(text: string, fields: readonly Field[], check: RowCheck): Rows {
  const { header, lines } = parseCsv(text);
  const schemas = new Map(fields.map(({ name, schema }) => [name, schema]));
  const rows = lines.map(({ line, values }) => {
    const row: Record<string, unknown> = {};
    for (const [at, name] of header.entries()) {
      const value = values[at] ?? '';
      if (value !== '') row[name] = fromText(value, schemas.get(name));
    }
    return check(row, line);
  });
  return { shape: 'csv', rows, places: lines.map(({ line }) => line) };
}

/** A text as the schema wants it; as it is where it can't be that: the check then says so. */
export function fromText(text: string, schema: JsonSchema | undefined): unknown {
  const types = typesOf(schema);
  const trimmed = text.trim();
  if (types.has('number') || types.has('integer')) {
    const value = Number(trimmed);
    if (trimmed !== '' && Number.isFinite(value)) return value;
  }
  if (types.has('boolean') && /^(true|false)$/i.test(trimmed)) {
    return trimmed.toLowerCase() === 'true';
  }
  if (types.has('array') || types.has('object')) {
    try {
      return JSON.parse(trimmed);
    } catch {
      return text;
    }
  }
  return text;
}

/** The types that a schema allows, also by its alternatives and listed values. */
function typesOf(schema: JsonSchema | undefined): ReadonlySet<string> {
  const types = new Set<string>();
  const gather = (each: JsonSchema): void => {
    for (const type of typeof each.type === 'string' ? [each.type] : (each.type ?? [])) {
      types.add(type);
    }
    if (each.type === undefined) for (const value of each.enum ?? []) types.add(typeof value);
    for (const inner of [...(each.anyOf ?? []), ...(each.oneOf ?? [])]) gather(inner);
  };
  if (schema !== undefined) gather(schema);
  return types;
}
