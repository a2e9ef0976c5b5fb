// JSON with comments: what is read, which place a mistake names, and texts made to overwhelm.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsoncCharactersMax, parseJsonc } from '../../src/config/jsonc.ts';

describe('what is read', () => {
  it('allows comments, trailing commas and a byte order mark', () => {
    const text =
      '\ufeff// head\r\n{"a": [1, 2.5e1, /* x */ "\\u00e9//",], "b": {"c": null,},} // e';
    expect(parseJsonc(text)).toEqual({ a: [1, 25, 'é//'], b: { c: null } });
  });

  it('reads every JSON text as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseJsonc(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('takes __proto__ for a name like any other', () => {
    expect(Object.keys(Object(parseJsonc('{"__proto__": 1}')))).toEqual(['__proto__']);
  });
});

describe('mistakes', () => {
  it.each([
    ['{\n  "a" 1}', 'line 2, column 7: expected a colon'],
    ['{\n  "a": 1\n  "b": 2}', 'line 3, column 3: expected a comma or }'],
    ['[1 2]', 'line 1, column 4: expected a comma or ]'],
    ['{a: 1}', 'line 1, column 2: expected a name in double quotes or }'],
    ['{"a": 1, "a": 2}', 'line 1, column 10: "a" stands here twice'],
    ['{"a": tru}', 'line 1, column 7: "tru" is no value (text needs double quotes)'],
    ['{"a": trueish}', 'line 1, column 7: "trueish" is no value (text needs double quotes)'],
    ['{"a": 01}', 'line 1, column 7: "01" is no value (text needs double quotes)'],
    [`[${'x'.repeat(99)}]`, `line 1, column 2: "${'x'.repeat(40)}…" is no value`],
    ['{"a": 1} x', 'line 1, column 10: unexpected text after the end'],
    ['["a', 'line 1, column 2: the text is not closed'],
    ['["a\n"]', 'line 1, column 2: the text is not closed'],
    ['["\\x"]', 'line 1, column 2: a wrong escape'],
    ['[/* a', 'line 1, column 2: the comment is not closed'],
    ['[/', 'line 1, column 2: expected a value'],
    ['', 'line 1, column 1: expected a value'],
    ['// only', 'line 1, column 8: expected a value'],
    ['['.repeat(100), 'line 1, column 66: nested more than 64 levels deep'],
    ['{"a":'.repeat(100), 'line 1, column 326: nested more than 64 levels deep'],
    [' '.repeat(2 ** 20 + 1), 'too long: 1048577 characters, at most 1048576 are read'],
  ])('in %j are told with line and column', (text, message) => {
    expect(() => parseJsonc(text)).toThrow(message);
    expect(() => parseJsonc(text)).toThrow(SyntaxError);
  });
});

describe('a megabyte', () => {
  const fill = (unit: string): string => unit.repeat((jsoncCharactersMax - 8) / unit.length);

  it.each([
    ['spaces', fill(' ')],
    ['line feeds', fill('\n')],
    ['one comment', `/*${fill('*').slice(4)}*/`],
    ['one line comment', `//${fill('/').slice(3)}\n`],
    ['short comments', fill('/**/')],
    ['line comments', fill('// \n')],
    ['blanks and comments', fill('/**/\t \r\n')],
  ])('of %s stands before, in and after a value', (_, blank) => {
    expect(parseJsonc(`${blank}[1]`)).toEqual([1]);
    expect(parseJsonc(`[${blank}1]`)).toEqual([1]);
    expect(parseJsonc(`[1]${blank}`)).toEqual([1]);
  });

  it('is one text', () => {
    const text = fill('é');
    expect(parseJsonc(`"${text}"`)).toBe(text);
  });

  it('of brackets or digits is refused at once', () => {
    expect(() => parseJsonc(fill('['))).toThrow('levels deep');
    expect(() => parseJsonc(fill('-'))).toThrow('is no value');
  });
});
