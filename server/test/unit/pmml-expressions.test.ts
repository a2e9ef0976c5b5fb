// Derived fields: every expression and built-in function, with the arithmetic in each case.

import { describe, expect, it } from 'vitest';
import { load, pmml, schema } from './pmml-documents.ts';

type Given = Readonly<Record<string, unknown>>;

/** What an expression gives over x, y (doubles), s (text), b (boolean), d and t (dates). */
function evaluate(expression: string, row: Given, dataType = 'double', functions = ''): unknown {
  const inputs = ['x:double', 'y:double', 's:string', 'b:boolean', 'd:date', 't:dateTime'];
  const output =
    `<Output><OutputField name="result" dataType="${dataType}" ` +
    `feature="transformedValue"><FieldRef field="derived"/></OutputField></Output>`;
  const derived =
    `<LocalTransformations><DerivedField name="derived" dataType="${dataType}" ` +
    `optype="categorical">${expression}</DerivedField></LocalTransformations>`;
  const model =
    `<TransformationDictionary>${functions}</TransformationDictionary>` +
    `<RegressionModel functionName="regression">${schema('x', 'y', 's', 'b', 'd', 't')}` +
    `${output}${derived}<RegressionTable intercept="0"/></RegressionModel>`;
  return load(pmml(inputs, model))(row).result;
}

const ref = (field: string): string => `<FieldRef field="${field}"/>`;
const constant = (value: string | number, dataType = ''): string =>
  `<Constant${dataType === '' ? '' : ` dataType="${dataType}"`}>${value}</Constant>`;
const apply = (name: string, ...inside: readonly string[]): string =>
  `<Apply function="${name}">${inside.join('')}</Apply>`;

const x = ref('x');
const y = ref('y');
const s = ref('s');

describe('numbers', () => {
  it.each([
    ['+', { x: 2.5, y: 4 }, 6.5],
    ['-', { x: 2.5, y: 4 }, -1.5],
    ['*', { x: 2.5, y: 4 }, 10],
    ['/', { x: 5, y: 2 }, 2.5],
    // -5 - floor(-5 / 3) * 3 = -5 + 6
    ['modulo', { x: -5, y: 3 }, 1],
    ['pow', { x: 2, y: 10 }, 1024],
    ['threshold', { x: 3, y: 2 }, 1],
    ['threshold', { x: 2, y: 2 }, 0],
    ['hypot', { x: 3, y: 4 }, 5],
    ['min', { x: 2, y: -1 }, -1],
    ['max', { x: 2, y: -1 }, 2],
    ['sum', { x: 2, y: -1 }, 1],
    ['avg', { x: 2, y: -1 }, 0.5],
    ['product', { x: 2, y: -1 }, -2],
    ['median', { x: 2, y: 5 }, 3.5],
    // Aggregates pass over what is missing, the others do not.
    ['sum', { x: 2 }, 2],
    ['avg', { y: 4 }, 4],
    ['+', { x: 2 }, null],
    ['min', {}, null],
  ])('%s of %j is %d', (name, row, result) => {
    expect(evaluate(apply(name, x, y), row)).toBe(result);
  });

  it.each([
    ['log10', 1000, 3],
    ['ln', Math.E, 1],
    ['ln1p', 0, 0],
    ['sqrt', 9, 3],
    ['abs', -2, 2],
    ['exp', 0, 1],
    ['expm1', 1e-12, 1.0000000000005e-12],
    ['floor', -1.5, -2],
    ['ceil', -1.5, -1],
    ['round', 2.5, 3],
    // The nearest even number of two that are as near.
    ['rint', 2.5, 2],
    ['rint', 3.5, 4],
    ['sin', 0, 0],
    ['cos', 0, 1],
    ['tan', 0, 0],
    ['asin', 1, Math.PI / 2],
    ['acos', 1, 0],
    ['atan', 1, Math.PI / 4],
    ['sinh', 0, 0],
    ['cosh', 0, 1],
    ['tanh', 0, 0],
    // Tables of the error function: erf(0.5), erf(2), and far out.
    ['erf', 0.5, 0.5204998778130465],
    ['erf', -2, -0.9953222650189527],
    ['erf', 3, 0.9999779095030014],
    ['stdNormalCDF', 1.96, 0.9750021048517795],
    ['stdNormalCDF', -8, 6.220960574271785e-16],
    ['stdNormalPDF', 0, 0.3989422804014327],
    ['stdNormalIDF', 0.975, 1.959963984540054],
    ['stdNormalIDF', 1e-10, -6.361340902404056],
  ])('%s(%d) is %d', (name, value, result) => {
    const found = evaluate(apply(name, x), { x: value });
    expect(found).toBeTypeOf('number');
    expect(Math.abs(Number(found) - result)).toBeLessThanOrEqual(1e-13 * Math.abs(result));
  });

  it('knows normal distributions with mean 10 and deviation 2', () => {
    const of = (name: string, value: number): unknown =>
      evaluate(apply(name, x, constant(10), constant(2)), { x: value });
    expect(of('normalCDF', 12)).toBeCloseTo(0.8413447460685429, 13);
    expect(of('normalPDF', 10)).toBeCloseTo(0.19947114020071635, 13);
    expect(of('normalIDF', 0.8413447460685429)).toBeCloseTo(12, 12);
  });

  it('treats what is no number as the model says', () => {
    const root = (treatment: string): string =>
      `<Apply function="sqrt" invalidValueTreatment="${treatment}">${x}</Apply>`;
    expect(() => evaluate(apply('sqrt', x), { x: -1 })).toThrow('the function sqrt has no result');
    expect(() => evaluate(root('returnInvalid'), { x: -1 })).toThrow('no result');
    expect(evaluate(root('asMissing'), { x: -1 })).toBeNull();
    expect(evaluate(root('asIs'), { x: -1 })).toBeNull();
  });

  it('replaces missing arguments and results', () => {
    const sum = `<Apply function="+" mapMissingTo="-1">${x}${y}</Apply>`;
    expect(evaluate(sum, { x: 1, y: 2 })).toBe(3);
    expect(evaluate(sum, { x: 1 })).toBe(-1);
    const otherwise = `<Apply function="+" defaultValue="7">${x}${y}</Apply>`;
    expect(evaluate(otherwise, { y: 1 })).toBe(7);
  });
});

describe('questions', () => {
  const ask = (expression: string, row: Given): unknown => evaluate(expression, row, 'boolean');

  it.each([
    ['equal', [true, false, false]],
    ['notEqual', [false, true, true]],
    ['lessThan', [false, true, false]],
    ['lessOrEqual', [true, true, false]],
    ['greaterThan', [false, false, true]],
    ['greaterOrEqual', [true, false, true]],
  ])('%s compares with 2, 3 and 1', (name, results) => {
    expect([2, 3, 1].map((value) => ask(apply(name, x, y), { x: 2, y: value }))).toEqual(results);
    expect(ask(apply(name, x, y), { x: 2 })).toBeNull();
  });

  it('takes a constant for a value of the field beside it', () => {
    expect(ask(apply('equal', s, constant('7')), { s: '7' })).toBe(true);
    expect(ask(apply('equal', s, constant('7', 'integer')), { s: '7' })).toBe(true);
    expect(ask(apply('equal', ref('b'), constant('true')), { b: true })).toBe(true);
    expect(() => ask(apply('equal', s, x), {})).toThrow('compares a string with a double');
  });

  it('knows and, or, not, and nothing of what is missing', () => {
    const positive = apply('greaterThan', x, constant(0));
    const even = apply('greaterThan', y, constant(0));
    expect(ask(apply('and', positive, even), { x: 1, y: 1 })).toBe(true);
    expect(ask(apply('and', positive, even), { x: 1, y: -1 })).toBe(false);
    expect(ask(apply('or', positive, even), { x: -1, y: 1 })).toBe(true);
    expect(ask(apply('or', positive, even), { x: 1 })).toBeNull();
    expect(ask(apply('not', positive), { x: 1 })).toBe(false);
    expect(() => ask(apply('not', s), {})).toThrow('a string where a boolean is expected');
  });

  it('looks for values in lists', () => {
    const list = [constant('a'), constant('b')];
    expect(ask(apply('isIn', s, ...list), { s: 'b' })).toBe(true);
    expect(ask(apply('isIn', s, ...list), { s: 'c' })).toBe(false);
    expect(ask(apply('isNotIn', s, ...list), { s: 'c' })).toBe(true);
    expect(ask(apply('isIn', s, ...list), {})).toBeNull();
  });

  it('tells missing from present values', () => {
    expect(ask(apply('isMissing', x), {})).toBe(true);
    expect(ask(apply('isNotMissing', x), { x: 0 })).toBe(true);
    expect(ask(apply('isValid', x), { x: 0 })).toBe(true);
    expect(ask(apply('isNotValid', x), {})).toBe(true);
  });

  it('evaluates only the branch of an if that is chosen', () => {
    const positive = apply('greaterThan', x, constant(0));
    const root = apply('if', positive, apply('sqrt', x), constant(-1));
    expect(evaluate(root, { x: 16 })).toBe(4);
    expect(evaluate(root, { x: -16 })).toBe(-1);
    expect(evaluate(root, {})).toBeNull();
    expect(evaluate(apply('if', positive, constant(1)), { x: -1 })).toBeNull();
  });
});

describe('texts and dates', () => {
  const text = (expression: string, row: Given): unknown => evaluate(expression, row, 'string');

  it('changes, cuts, joins and measures texts', () => {
    expect(text(apply('uppercase', s), { s: 'ab' })).toBe('AB');
    expect(text(apply('lowercase', s), { s: 'AB' })).toBe('ab');
    expect(text(apply('trimBlanks', s), { s: '  a b ' })).toBe('a b');
    expect(text(apply('substring', s, constant(2), constant(3)), { s: 'aBc9x' })).toBe('Bc9');
    expect(text(apply('concat', s, constant('-'), x), { s: 'a', x: 2 })).toBe('a-2');
    expect(text(apply('concat', constant('2.0'), s), { s: 'x' })).toBe('2.0x');
    expect(evaluate(apply('stringLength', s), { s: 'four' }, 'integer')).toBe(4);
    expect(text(apply('uppercase', s), {})).toBeNull();
  });

  it('knows regular expressions', () => {
    const replaced = apply('replace', s, constant('B+'), constant('c'));
    expect(text(replaced, { s: 'BBBBaBB' })).toBe('cac');
    const matches = apply('matches', s, constant('ar?y'));
    expect(evaluate(matches, { s: 'February' }, 'boolean')).toBe(true);
    expect(evaluate(matches, { s: 'April' }, 'boolean')).toBe(false);
    expect(() => text(apply('replace', s, constant('('), constant('')), {})).toThrow('(');
    expect(() => text(apply('matches', s, s), {})).toThrow('pattern has to be a Constant');
  });

  it.each([
    ['%3d', 2, '  2'],
    ['%05.1f', -2.25, '-02.3'],
    ['%-6.2fkg', 1.5, '1.50  kg'],
    ['%,d', 1234567, '1,234,567'],
    ['%+.2e', 1500, '+1.50e+03'],
    ['100 %% of %d', 3, '100 % of 3'],
  ])('formatNumber writes %s', (pattern, value, result) => {
    expect(text(apply('formatNumber', x, constant(pattern)), { x: value })).toBe(result);
  });

  it('writes and counts dates', () => {
    const d = ref('d');
    const row = { d: '1960-03-01', t: '1960-01-03T03:30:03' };
    expect(text(apply('formatDatetime', d, constant('%m/%d/%y %j')), row)).toBe('03/01/60 061');
    expect(text(apply('formatDatetime', ref('t'), constant('%A %I:%M %p')), row)).toBe(
      'Sunday 03:30 AM',
    );
    // 31 days of January, 29 of February.
    expect(evaluate(apply('dateDaysSinceYear', d, constant(1960)), row)).toBe(60);
    // 2 days, 3 hours, 30 minutes, 3 seconds.
    expect(evaluate(apply('dateSecondsSinceYear', ref('t'), constant(1960)), row)).toBe(185403);
    expect(evaluate(apply('dateSecondsSinceMidnight', ref('t')), row)).toBe(12603);
    expect(evaluate(apply('dateDaysSinceYear', s, constant(1960)), { s: '1959-12-31' })).toBe(-1);
    expect(() => text(apply('formatDatetime', d, constant('%Q')), row)).toThrow('%Q');
    expect(evaluate(d, { d: '2023-02-28' }, 'date')).toBe('2023-02-28');
    expect(evaluate(ref('t'), { t: '2023-02-28T23:00:00.250-02:00' }, 'dateTime')).toBe(
      '2023-03-01T01:00:00.25',
    );
    expect(() => evaluate(d, { d: '2023-02-29' }, 'date')).toThrow('is not valid');
  });
});

describe('mappings', () => {
  const norm = (outliers: string): string =>
    `<NormContinuous field="x" outliers="${outliers}" mapMissingTo="0.5">` +
    '<LinearNorm orig="1" norm="0"/><LinearNorm orig="3" norm="1"/>' +
    '<LinearNorm orig="5" norm="5"/></NormContinuous>';

  it('normalizes along straight lines, and beyond them as the model says', () => {
    expect([1, 2, 4, 5].map((value) => evaluate(norm('asIs'), { x: value }))).toEqual([
      0, 0.5, 3, 5,
    ]);
    expect([0, 6].map((value) => evaluate(norm('asIs'), { x: value }))).toEqual([-0.5, 7]);
    expect([0, 6].map((value) => evaluate(norm('asExtremeValues'), { x: value }))).toEqual([0, 5]);
    expect(evaluate(norm('asMissingValues'), { x: 6 })).toBe(0.5);
    expect(evaluate(norm('asIs'), {})).toBe(0.5);
  });

  it('indicates a value', () => {
    const indicator = '<NormDiscrete field="s" value="a" mapMissingTo="0.25"/>';
    expect(evaluate(indicator, { s: 'a' })).toBe(1);
    expect(evaluate(indicator, { s: 'b' })).toBe(0);
    expect(evaluate(indicator, {})).toBe(0.25);
  });

  it('puts numbers in bins with open and closed ends', () => {
    const bins =
      '<Discretize field="x" defaultValue="other" mapMissingTo="none">' +
      '<DiscretizeBin binValue="low"><Interval closure="openOpen" rightMargin="1"/>' +
      '</DiscretizeBin><DiscretizeBin binValue="high">' +
      '<Interval closure="closedOpen" leftMargin="1" rightMargin="2"/></DiscretizeBin>' +
      '</Discretize>';
    const of = (row: Given): unknown => evaluate(bins, row, 'string');
    expect([0.9, 1, 1.5, 2].map((value) => of({ x: value }))).toEqual([
      'low',
      'high',
      'high',
      'other',
    ]);
    expect(of({})).toBe('none');
  });

  it('looks values up by one column or two, whatever their prefix', () => {
    const table =
      '<MapValues outputColumn="data:out" dataType="integer" mapMissingTo="-1" defaultValue="0">' +
      '<FieldColumnPair field="s" column="data:name"/><FieldColumnPair field="b" column="flag"/>' +
      '<InlineTable xmlns:data="urn:data">' +
      '<row><data:name>a</data:name><flag>true</flag><data:out>1</data:out></row>' +
      '<row><data:name>a</data:name><flag>false</flag><data:out>2</data:out></row>' +
      '</InlineTable></MapValues>';
    const of = (row: Given): unknown => evaluate(table, row, 'integer');
    expect(of({ s: 'a', b: true })).toBe(1);
    expect(of({ s: 'a', b: false })).toBe(2);
    expect(of({ s: 'z', b: false })).toBe(0);
    expect(of({ s: 'a' })).toBe(-1);
  });
});

describe('functions of the file', () => {
  const defined =
    '<DefineFunction name="scale" optype="continuous" dataType="double">' +
    '<ParameterField name="value" dataType="double"/><ParameterField name="by"/>' +
    '<Apply function="*"><FieldRef field="value"/>' +
    '<Apply function="+"><FieldRef field="by"/><FieldRef field="by"/></Apply></Apply>' +
    '</DefineFunction>';

  it('are called with their own parameters, also inside of each other', () => {
    const once = apply('scale', x, constant(2));
    expect(evaluate(once, { x: 3 }, 'double', defined)).toBe(12);
    expect(evaluate(apply('scale', once, y), { x: 3, y: 1 }, 'double', defined)).toBe(24);
  });

  it('take what is of their types', () => {
    const whole = defined.replace(
      'name="value" dataType="double"',
      'name="value" dataType="integer"',
    );
    const call = apply('scale', x, constant(2));
    expect(evaluate(call, { x: 3 }, 'double', whole)).toBe(12);
    expect(() => evaluate(call, { x: 2.5 }, 'double', whole)).toThrow(
      'the parameter of scale would be 2.5, no integer',
    );
  });

  it('may not call themselves', () => {
    const endless =
      '<DefineFunction name="f" optype="continuous"><ParameterField name="a"/>' +
      '<Apply function="f"><FieldRef field="a"/></Apply></DefineFunction>';
    expect(() => evaluate(apply('f', x), {}, 'double', endless)).toThrow('calls itself');
  });

  it('may be there and never called, whatever is in them', () => {
    const unknown =
      '<DefineFunction name="g" optype="continuous"><Lag field="x"/></DefineFunction>';
    expect(evaluate(x, { x: 1 }, 'double', unknown)).toBe(1);
  });
});

it('refuses what it does not know by its name', () => {
  expect(() => evaluate(apply('bessel', x), {})).toThrow('the function bessel is not supported');
  expect(() => evaluate(apply('sqrt', x, y), {})).toThrow('takes 1 arguments, not 2');
  for (const name of ['Aggregate', 'Lag', 'TextIndex']) {
    expect(() => evaluate(`<${name} field="x"/>`, {})).toThrow(`${name}: this element is not`);
  }
  expect(() => evaluate(ref('z'), {})).toThrow('the model has no field z');
  expect(() => evaluate(ref('derived'), {})).toThrow('derived needs itself');
  expect(() => evaluate(x, { x: 2.5 }, 'integer')).toThrow('would be 2.5, no integer');
});
