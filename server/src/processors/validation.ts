// Input checked against schemas: the fields of a row, or the whole body of a user's own schema. A
// mistake is an InputError that names field and row; a schema that is none is a ModelError.

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type Field, InputError, type JsonSchema, ModelError } from './processor.ts';

/** One row, a value for each field by its name. */
export type Row = Readonly<Record<string, unknown>>;

/** Answers the row, checked. Throws InputError. */
export type RowCheck = (row: unknown, at: number | undefined) => Row;

/** The schema of one row with these fields. Further values pass: rows come as they lie in tables. */
export function rowSchema(fields: readonly Field[]): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map(({ name, schema }) => [name, schema])),
    required: fields.filter(({ required }) => required).map(({ name }) => name),
  };
}

/** The schema of a body of rows: one object, or an array of them. */
export function rowsSchema(fields: readonly Field[]): JsonSchema {
  const row = rowSchema(fields);
  return { oneOf: [row, { type: 'array', items: row }] };
}

/** A check of single rows. `at` is what an error calls the row; undefined: there is only one. */
export function rowCheck(fields: readonly Field[]): RowCheck {
  const validate = compiled(rowSchema(fields));
  return (row, at) => {
    if (isRow(row) && validate(row)) return row;
    if (!isRow(row)) {
      const what = Array.isArray(row) ? 'an array' : row === null ? 'null' : `a ${typeof row}`;
      throw new InputError(`${rowText(at)}must be an object with the fields, not ${what}`, {
        row: at,
      });
    }
    throw mistake(validate.errors, at);
  };
}

/** A check of a whole value against any JSON Schema of 2020-12. */
export function schemaCheck(schema: JsonSchema): (value: unknown) => void {
  const validate = compiled(schema);
  return (value) => {
    if (validate(value)) return;
    const error = validate.errors?.[0];
    const first = error?.instancePath.split('/')[1];
    // In an array the first step of the path is the row.
    const isInRow = Array.isArray(value) && first !== undefined;
    throw mistake(validate.errors, isInRow ? Number(first) : undefined, isInRow ? 2 : 1);
  };
}

// Schemas come from the model's owner, so that keywords of other tools may stand in them, and
// drafts of other years: what many tools still write is draft 7.
function compiled({ $schema: draft, ...schema }: JsonSchema): ValidateFunction {
  const isOld = typeof draft === 'string' && /draft-0[4-7]/.test(draft);
  const Compiler = isOld ? Ajv : Ajv2020;
  try {
    return new Compiler({ strict: false, allowUnionTypes: true, logger: false }).compile(schema);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ModelError(`the schema of the input is not one: ${why}`, { cause });
  }
}

function mistake(
  errors: readonly ErrorObject[] | null | undefined,
  row: number | undefined,
  depth = 1,
): InputError {
  const error = errors?.[0];
  const path = (error?.instancePath ?? '').split('/').slice(depth).map(unescaped);
  if (error?.keyword === 'required') path.push(String(error.params.missingProperty));
  const field = path.length === 0 ? undefined : path.join('.');
  const what = error?.keyword === 'required' ? 'is required' : textOf(error);
  const subject = field === undefined ? '' : `field ${field}: `;
  return new InputError(`${rowText(row)}${subject}${what}`, { field, row });
}

function textOf(error: ErrorObject | undefined): string {
  const { keyword, message = 'does not fit the schema', params } = error ?? {};
  if (keyword === 'enum' && Array.isArray(params?.allowedValues)) {
    const values: readonly unknown[] = params.allowedValues;
    const shown = values.slice(0, 20).map((value) => JSON.stringify(value));
    return `must be one of ${shown.join(', ')}${values.length > 20 ? ', ...' : ''}`;
  }
  if (keyword === 'const') return `must be ${JSON.stringify(params?.allowedValue)}`;
  if (keyword === 'additionalProperties') return `has no field ${params?.additionalProperty}`;
  return message;
}

function rowText(row: number | undefined): string {
  return row === undefined ? '' : `row ${row}, `;
}

/** JSON pointers write / as ~1 and ~ as ~0. */
function unescaped(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
