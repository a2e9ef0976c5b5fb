// Rows as processors take them: JSON and CSV in, checked against fields, errors that name field and
// row, answers in the shape of the question.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonOf } from '../../src/processors/content.ts';
import { parseCsv, writeCsv } from '../../src/processors/csv.ts';
import { type Call, type Field, InputError, ModelError } from '../../src/processors/processor.ts';
import { readRows, rowsAnswer } from '../../src/processors/rows.ts';
import { rowCheck, schemaCheck } from '../../src/processors/validation.ts';

const fields: readonly Field[] = [
  { name: 'age', schema: { type: 'number', minimum: 0 }, required: true },
  { name: 'plan', schema: { enum: ['basic', 'full'] }, required: false },
  { name: 'active', schema: { type: ['boolean', 'null'] }, required: false },
  { name: 'a/b~c', schema: { type: 'integer' }, required: false },
];
const check = rowCheck(fields);

function call(body: string, headers: Readonly<Record<string, string>> = {}): Call {
  return {
    method: 'POST',
    path: '/',
    query: new URLSearchParams(),
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(body),
    signal: new AbortController().signal,
  };
}

const csv = (body: string): Call => call(body, { 'content-type': 'text/csv; charset=utf-8' });

/** What was wrong: the text, the field and the row. */
function mistake(work: () => unknown): readonly unknown[] {
  try {
    work();
  } catch (error) {
    if (error instanceof InputError) return [error.message, error.field, error.row, error.status];
    throw error;
  }
  return [];
}

const read = (given: Call) => readRows(given, fields, check);

describe('JSON', () => {
  it('is one row or many', () => {
    expect(read(call('{"age": 4}'))).toEqual({
      shape: 'one',
      rows: [{ age: 4 }],
      places: [undefined],
    });
    expect(read(call('[{"age": 4}, {"age": 5, "other": 1}]'))).toEqual({
      shape: 'many',
      rows: [{ age: 4 }, { age: 5, other: 1 }],
      places: [0, 1],
    });
  });

  it.each([
    ['{"plan": "basic"}', 'field age: is required', 'age', undefined],
    ['[{"age": 1}, {"age": "x"}]', 'row 1, field age: must be number', 'age', 1],
    [
      '[{"age": 1, "plan": "gold"}]',
      'row 0, field plan: must be one of "basic", "full"',
      'plan',
      0,
    ],
    ['{"age": -1}', 'field age: must be >= 0', 'age', undefined],
    ['{"age": 1, "a/b~c": 1.5}', 'field a/b~c: must be integer', 'a/b~c', undefined],
    ['[1]', 'row 0, must be an object with the fields, not a number', undefined, 0],
    ['[[]]', 'row 0, must be an object with the fields, not an array', undefined, 0],
    ['null', 'must be an object with the fields, not null', undefined, undefined],
  ])('names field and row of %s', (body, text, field, row) => {
    expect(mistake(() => read(call(body)))).toEqual([text, field, row, 400]);
  });

  it('names line and column where it is none', () => {
    const [text] = mistake(() => read(call('[\n {"age": 4,}\n]')));
    expect(text).toBe(
      'the body is not JSON: line 2, column 12: Expected double-quoted property name',
    );
    expect(mistake(() => jsonOf(call(' ')))[0]).toBe('the body is empty; JSON is expected');
    const broken = { ...call(''), body: Buffer.from([0x22, 0xff, 0x22]) };
    expect(mistake(() => jsonOf(broken))[0]).toBe('the body is not UTF-8 text');
  });

  it('always says something about text that is none', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(mistake(() => jsonOf(call(text))).length).toBe(isJson ? 0 : 4);
      }),
    );
  });

  it('is refused under a type that is something else', () => {
    expect(mistake(() => read(call('x', { 'content-type': 'image/png' })))[3]).toBe(415);
  });
});

describe('CSV', () => {
  it('becomes what the fields say; what is empty is not there', () => {
    const table = 'age,plan,active,name\r\n4,basic,TRUE,"O""Neill, J"\r\n5,,,\r\n';
    expect(read(csv(table)).rows).toEqual([
      { age: 4, plan: 'basic', active: true, name: 'O"Neill, J' },
      { age: 5 },
    ]);
  });

  it('names the line, however many lines a value has', () => {
    const table = 'age,name\n4,"two\nlines"\nold,x\n';
    expect(mistake(() => read(csv(table)))).toEqual([
      'row 4, field age: must be number',
      'age',
      4,
      400,
    ]);
  });

  it.each([
    ['', 'the CSV is empty; a header line is expected'],
    ['a,a\n1,2', 'the header names a twice'],
    ['a,b\n1', 'line 2: 1 values for 2 columns'],
    ['a,b\n1,2,3', 'line 2: 3 values for 2 columns'],
    ['a,b\n"1,2', 'line 2: a quote is not closed'],
    ['a,b\n"1"x,2', 'line 2: a comma is missing behind a quoted value'],
  ])('says what is wrong with %j', (text, expected) => {
    expect(mistake(() => parseCsv(text))[0]).toBe(expected);
  });

  it('is read or refused, whatever it is', () => {
    const part = fc.constantFrom('a', ',', '"', '\n', '\r', '""', ' ', '\ufeff');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const { length } = mistake(() => parseCsv(parts.join('')));
        expect([0, 4]).toContain(length);
      }),
    );
  });

  it('reads what it has written', () => {
    const cell = fc.string().filter((text) => text !== '');
    fc.assert(
      fc.property(fc.array(fc.record({ a: cell, b: cell }), { minLength: 1 }), (rows) => {
        const { header, lines } = parseCsv(writeCsv(['a', 'b'], rows));
        expect(header).toEqual(['a', 'b']);
        expect(lines.map(({ values: [a, b] }) => ({ a, b }))).toEqual(rows);
      }),
    );
  });
});

describe('answers', () => {
  const rows = [{ score: 0.5, note: 'a,b' }, { score: undefined }];
  const text = (given: Call, shape: 'one' | 'many' | 'csv'): string =>
    String(rowsAnswer(given, shape, rows, ['score', 'note']).body);

  it('have the shape of the question', () => {
    expect(text(call(''), 'one')).toBe('{"score":0.5,"note":"a,b"}');
    expect(text(call(''), 'many')).toBe('[{"score":0.5,"note":"a,b"},{}]');
    expect(text(csv(''), 'csv')).toBe('score,note\n0.5,"a,b"\n,\n');
  });

  it('come as Accept says', () => {
    expect(text(call('', { accept: 'text/csv' }), 'many')).toMatch(/^score,note\n/);
    expect(text(call('', { accept: 'application/json, */*' }), 'csv')).toMatch(/^\[/);
  });
});

describe('a schema of one\u2019s own', () => {
  const own = schemaCheck({
    type: 'array',
    items: { type: 'object', properties: { at: { $ref: '#/$defs/point' } }, required: ['at'] },
    $defs: { point: { type: 'array', prefixItems: [{ type: 'number' }], minItems: 1 } },
  });

  it('is checked whole, and rows are counted where it is a list', () => {
    expect(mistake(() => own([{ at: [1] }, {}]))).toEqual([
      'row 1, field at: is required',
      'at',
      1,
      400,
    ]);
    expect(mistake(() => own([{ at: ['x'] }]))).toEqual([
      'row 0, field at.0: must be number',
      'at.0',
      0,
      400,
    ]);
    expect(mistake(() => own({}))[0]).toBe('must be array');
    expect(mistake(() => own([{ at: [1] }]))).toEqual([]);
  });

  it('may be of draft 7, and have formats and keywords of other tools', () => {
    // As it comes out of a module: text that nobody has given a type.
    const old = schemaCheck(
      JSON.parse(`{
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
          "at": { "$ref": "#/definitions/at" },
          "pair": { "items": [{ "type": "number" }] }
        },
        "definitions": { "at": { "type": "string", "format": "date-time", "x-of-ours": 1 } }
      }`),
    );
    expect(mistake(() => old({ at: 'today', pair: [1] }))).toEqual([]);
    expect(mistake(() => old({ pair: ['x'] }))[0]).toBe('field pair.0: must be number');
    expect(mistake(() => old({ at: 1 }))[0]).toBe('field at: must be string');
  });

  it('is refused where it is none', () => {
    expect(() => schemaCheck({ type: 'nonsense' })).toThrow(ModelError);
  });
});
