// What goes into a user's own program and comes out of it, whatever its language: JSON, text or
// bytes by the content type of the call, answers by what was returned, errors by their status.

import { contentTypeOf, jsonOf, textOf } from './content.ts';
import { type Call, InputError, type JsonSchema, ModelError } from './processor.ts';
import { schemaCheck } from './validation.ts';

/** What a program says of itself. */
export interface OwnSchema {
  readonly input: JsonSchema | undefined;
  readonly output: JsonSchema | undefined;
}

/** The input of one call. */
export type Input =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array };

/** Any value; what is described where the program describes nothing. */
export const anything: JsonSchema = { description: 'anything: JSON, text or bytes' };

/** A reader of inputs, checked against the program's schema if it has one. Throws ModelError when
 * the schema is none; the reader throws InputError. */
export function inputReader(schema: JsonSchema | undefined): (call: Call) => Input {
  const check = schema === undefined ? undefined : schemaCheck(schema);
  return (call) => {
    const input = readInput(call, schema);
    if (input.kind !== 'bytes') check?.(input.value);
    return input;
  };
}

/** The `schema` that a program exports, looked at. Throws ModelError. */
export function ownSchema(value: unknown): OwnSchema {
  if (value === undefined || value === null) return { input: undefined, output: undefined };
  if (!isObject(value)) throw new ModelError('schema must be an object with input and output');
  const { input, output, ...others } = value;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new ModelError(`schema has input and output; it has no ${other}`);
  }
  return { input: schemaOf(input, 'input'), output: schemaOf(output, 'output') };
}

/** What a program threw, as the answer it asks for: an integer `status` from 400 to 599 is the
 * answer's; `field` and `row` are shown with it. Anything else is the model's own mistake. */
export function thrown(error: unknown): unknown {
  if (!isObject(error) || error instanceof InputError) return error;
  const { status, message, field, row } = error;
  if (typeof status !== 'number' || !Number.isInteger(status)) return error;
  if (status < 400 || status > 599) return error;
  return new InputError(typeof message === 'string' ? message : String(error), {
    status,
    field: typeof field === 'string' ? field : undefined,
    row: typeof row === 'number' ? row : undefined,
    cause: error,
  });
}

/** Whether a value has properties to look at. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

// Text is text and JSON is JSON. What says nothing of itself is JSON for a program with a schema,
// bytes for others; curl calls whatever it is given a form, fetch calls it plain text, and both
// mean JSON where a schema asks for anything but text.
function readInput(call: Call, schema: JsonSchema | undefined): Input {
  const type = contentTypeOf(call);
  if (/^application\/(json|.*\+json|x-www-form-urlencoded)$/.test(type)) return json(call);
  const isVague = type === 'application/octet-stream' || type === 'text/plain';
  if (isVague && schema !== undefined && schema.type !== 'string') return json(call);
  if (type.startsWith('text/')) return { kind: 'text', value: textOf(call) };
  return { kind: 'bytes', value: call.body };
}

function json(call: Call): Input {
  // GET and DELETE have none.
  if (call.body.length === 0 && call.method !== 'POST') return { kind: 'json', value: undefined };
  return { kind: 'json', value: jsonOf(call) };
}

function schemaOf(value: unknown, name: string): JsonSchema | undefined {
  if (value === undefined || value === null) return undefined;
  if (isObject(value) && !Array.isArray(value)) return value;
  throw new ModelError(`schema.${name} must be a JSON Schema, an object`);
}
