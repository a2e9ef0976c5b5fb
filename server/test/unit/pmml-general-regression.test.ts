// General regression: the design with interactions, powers and contrasts, every link, categories
// and their reference, and what is refused.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, pmml, probabilities, schema } from './pmml-documents.ts';

type Cell = readonly [parameter: string, predictor: string, value: string, category?: string];
type Beta = readonly [parameter: string, beta: number, category?: string];

interface Options {
  readonly attributes?: string;
  readonly functionName?: string;
  readonly factors?: string;
  readonly fields?: readonly string[];
  readonly output?: string;
  readonly more?: string;
  readonly reference?: string;
}

function model(cells: readonly Cell[], betas: readonly Beta[], options: Options = {}): string {
  const { attributes = 'modelType="generalLinear"', functionName = 'regression' } = options;
  const names = new Set([...cells.map(([name]) => name), ...betas.map(([name]) => name)]);
  const parameters = [...names].map(
    (name) => `<Parameter name="${name}" ${options.reference ?? ''}/>`,
  );
  const matrix = cells.map(
    ([parameter, predictor, value, category]) =>
      `<PPCell parameterName="${parameter}" predictorName="${predictor}" value="${value}" ` +
      `${category === undefined ? '' : `targetCategory="${category}"`}/>`,
  );
  const coefficients = betas.map(
    ([parameter, beta, category]) =>
      `<PCell parameterName="${parameter}" beta="${beta}" ` +
      `${category === undefined ? '' : `targetCategory="${category}"`}/>`,
  );
  return pmml(
    options.fields ?? ['x:double', 'z:double', 'f:string(a,b,c)', 'y:double'],
    `<GeneralRegressionModel functionName="${functionName}" ${attributes}>` +
      `${schema('x', 'z', 'f', 'y!')}${options.output ?? ''}` +
      `<ParameterList>${parameters.join('')}</ParameterList>` +
      `${options.factors ?? '<FactorList><Predictor name="f"/></FactorList>'}` +
      '<CovariateList><Predictor name="x"/><Predictor name="z"/></CovariateList>' +
      `<PPMatrix>${matrix.join('')}</PPMatrix><ParamMatrix>${coefficients.join('')}</ParamMatrix>` +
      `${options.more ?? ''}</GeneralRegressionModel>`,
  );
}

const line = (attributes: string, more: Options = {}): string =>
  model([['p', 'x', '1']], [['p', 1]], { attributes, ...more });

describe('the design', () => {
  it('multiplies what belongs to one parameter, and adds parameters', () => {
    const cells: Cell[] = [
      ['square', 'x', '2'],
      ['both', 'x', '1'],
      ['both', 'z', '1'],
      ['factor', 'f', 'b'],
      ['mixed', 'f', 'c'],
      ['mixed', 'x', '1'],
    ];
    const betas: Beta[] = [
      ['one', 1],
      ['square', 2],
      ['both', 3],
      ['factor', 100],
      ['mixed', 1000],
    ];
    const predict = load(model(cells, betas));
    // 1 + 2 * 3^2 + 3 * 3 * 5 = 64, and what each value of f adds.
    expect(predict({ x: 3, z: 5, f: 'a' }).y).toBe(64);
    expect(predict({ x: 3, z: 5, f: 'b' }).y).toBe(164);
    expect(predict({ x: 3, z: 5, f: 'c' }).y).toBe(3064);
  });

  it('says nothing where a predictor in use is missing', () => {
    const predict = load(model([['p', 'x', '1']], [['p', 1]]));
    expect(predict({ x: null, z: 5, f: 'a' }).y).toBe(null);
    expect(predict({ x: 2, z: null, f: null }).y).toBe(2);
  });

  it('codes a factor by its contrast matrix, rows for values and columns for cells', () => {
    const factors =
      '<FactorList><Predictor name="f" contrastMatrixType="helmert">' +
      '<Categories><Category value="b"/><Category value="c"/><Category value="a"/></Categories>' +
      '<Matrix nbRows="3" nbCols="2"><Array>2 0</Array><Array>-1 1</Array><Array>-1 -1</Array>' +
      '</Matrix></Predictor></FactorList>';
    const cells: Cell[] = [
      ['first', 'f', 'b'],
      ['second', 'f', 'c'],
    ];
    const betas: Beta[] = [
      ['first', 10],
      ['second', 1],
    ];
    const predict = load(model(cells, betas, { factors }));
    expect(['a', 'b', 'c'].map((f) => predict({ x: 0, z: 0, f }).y)).toEqual([-11, 20, -9]);
    const third = model([...cells, ['third', 'f', 'a']], [...betas, ['third', 5]], { factors });
    expect(() => load(third)).toThrow(/no column/);
  });
});

// Each inverse link at -0.4 and 0.7, by its own definition.
it.each([
  ['identity', '', (eta: number) => eta],
  ['log', '', (eta: number) => Math.E ** eta],
  ['logc', '', (eta: number) => 1 - Math.E ** eta],
  ['logit', '', (eta: number) => Math.E ** eta / (1 + Math.E ** eta)],
  ['cloglog', '', (eta: number) => 1 - Math.exp(-Math.exp(eta))],
  ['loglog', '', (eta: number) => Math.exp(-Math.exp(-eta))],
  ['negbin', 'distParameter="0.5"', (eta: number) => 1 / (0.5 * (Math.exp(-eta) - 1))],
  ['oddspower', 'linkParameter="0.5"', (eta: number) => 1 / (1 + (1 + 0.5 * eta) ** -2)],
  ['oddspower', 'linkParameter="0"', (eta: number) => 1 / (1 + Math.exp(-eta))],
  ['power', 'linkParameter="0"', (eta: number) => Math.exp(eta)],
  ['power', 'linkParameter="-1"', (eta: number) => 1 / eta],
])('inverts the link %s %s', (name, parameter, inverse) => {
  const attributes = `modelType="generalizedLinear" linkFunction="${name}" ${parameter}`;
  const predict = load(line(attributes));
  for (const x of [-0.4, 0.7]) {
    expect(predict({ x, z: 0, f: 'a' }).y).toBeCloseTo(inverse(x), 12);
  }
});

it('inverts the probit link as tables of the normal distribution have it', () => {
  const predict = load(line('modelType="generalizedLinear" linkFunction="probit"'));
  const expected = [0.15865525393145707, 0.5, 0.9750021048517795, 2.866515718791946e-7];
  expect([-1, 0, 1.96, -5].map((x) => predict({ x, z: 0, f: 'a' }).y)).toEqual(
    expected.map((share) => expect.closeTo(share, 14)),
  );
});

it('adds an offset before the link, and multiplies with trials after it', () => {
  const attributes = (more: string): string =>
    `modelType="generalizedLinear" linkFunction="logit" distribution="binomial" ${more}`;
  const both = load(line(attributes('offsetVariable="z" trialsValue="20"')));
  expect(both({ x: 1, z: 2, f: 'a' }).y).toBeCloseTo(20 / (1 + Math.exp(-3)), 12);
  expect(both({ x: 1, z: null, f: 'a' }).y).toBe(null);
  const other = load(line(attributes('offsetValue="-1" trialsVariable="z"')));
  expect(other({ x: 1, z: 7, f: 'a' }).y).toBe(3.5);
});

describe('categories', () => {
  const fields = ['x:double', 'z:double', 'f:string(a,b,c)', 'y:string(no,yes)'];
  const classes = {
    functionName: 'classification',
    fields,
    output: probabilities('no', 'yes'),
  };
  const binary = 'modelType="generalizedLinear" linkFunction="identity"';

  it.each([
    ['the one with parameters', [['p', 1, 'yes']], ''],
    ['the one that is not the reference', [['p', 1]], 'targetReferenceCategory="no"'],
    ['the second of both', [['p', 1, 'yes']], 'targetReferenceCategory="no"'],
  ] as const)('of two have the link for %s', (_, betas, reference) => {
    const attributes = `${binary} ${reference}`;
    const predict = load(model([['p', 'x', '1']], betas, { ...classes, attributes }));
    expect(predict({ x: 0.75, z: 0, f: 'a' })).toEqual({ y: 'yes', 'p(no)': 0.25, 'p(yes)': 0.75 });
  });

  it('may have the first one for their link', () => {
    const betas: Beta[] = [['p', 1, 'no']];
    const predict = load(model([['p', 'x', '1']], betas, { ...classes, attributes: binary }));
    expect(predict({ x: 0.75, z: 0, f: 'a' })).toEqual({ y: 'no', 'p(no)': 0.75, 'p(yes)': 0.25 });
  });

  it('may have designs of their own', () => {
    const three = {
      functionName: 'classification',
      fields: [...fields.slice(0, 3), 'y:string(u,v,w)'],
      output: probabilities('u', 'v', 'w'),
      attributes: 'modelType="multinomialLogistic" targetReferenceCategory="v"',
    };
    const cells: Cell[] = [
      ['p', 'x', '1', 'u'],
      ['p', 'z', '1', 'w'],
    ];
    const betas: Beta[] = [
      ['p', 1, 'u'],
      ['p', 2, 'w'],
    ];
    const predict = load(model(cells, betas, three));
    // Powers of 3 and 2 * 5; the reference has a power of 0.
    const total = Math.exp(3) + 1 + Math.exp(10);
    expect(predict({ x: 3, z: 5, f: 'a' })).toEqual({
      y: 'w',
      'p(u)': expect.closeTo(Math.exp(3) / total, 12),
      'p(v)': expect.closeTo(1 / total, 12),
      'p(w)': expect.closeTo(Math.exp(10) / total, 12),
    });
    expect(predict({ x: 1000, z: 0, f: 'a' }).y).toBe('u');
  });

  it.each([
    [
      'no reference',
      [
        ['p', 1, 'no'],
        ['p', 1, 'yes'],
      ],
      binary,
      /reference/,
    ],
    [
      'parameters of the reference',
      [['p', 1, 'no']],
      `${binary} targetReferenceCategory="no"`,
      /reference no|PCell for yes/,
    ],
    ['a category that is no value', [['p', 1, 'maybe']], binary, /reference|maybe/],
    ['trials', [['p', 1, 'yes']], `${binary} trialsValue="3"`, /trialsValue="3"/],
    [
      'an unknown order',
      [['p', 1, 'yes']],
      'modelType="ordinalMultinomial" cumulativeLink="logit"',
      /last category/,
    ],
    [
      'a link of another kind',
      [['p', 1, 'no']],
      'modelType="ordinalMultinomial" cumulativeLink="log"',
      /cumulativeLink="log"/,
    ],
    [
      'an offset of a multinomial model',
      [['p', 1, 'yes']],
      'modelType="multinomialLogistic" offsetValue="1"',
      /offsetValue="1"/,
    ],
  ] as const)('refuse %s', (_, betas, attributes, expected) => {
    const text = model([['p', 'x', '1']], betas, { ...classes, attributes });
    expect(() => load(text)).toThrow(expected);
  });
});

describe('Cox regression', () => {
  const attributes = 'modelType="CoxRegression" endTimeVariable="z"';
  const table =
    '<BaseCumHazardTables maxTime="10"><BaselineCell time="4" cumHazard="0.5"/>' +
    '<BaselineCell time="2" cumHazard="0.25"/></BaseCumHazardTables>';

  it('steps through the table in the order of time, and knows nothing beyond its end', () => {
    const predict = load(line(attributes, { more: table, reference: 'referencePoint="1"' }));
    const at = (z: number): unknown => predict({ x: 3, z, f: 'a' }).y;
    // exp(3 - 1) times the baseline.
    expect([1.9, 2, 3.9, 4, 10, 10.1].map(at)).toEqual([
      0,
      expect.closeTo(0.25 * Math.exp(2), 12),
      expect.closeTo(0.25 * Math.exp(2), 12),
      expect.closeTo(0.5 * Math.exp(2), 12),
      expect.closeTo(0.5 * Math.exp(2), 12),
      null,
    ]);
    expect(predict({ x: 3, z: null, f: 'a' }).y).toBe(null);
    expect(predict({ x: null, z: 3, f: 'a' }).y).toBe(null);
    expect(predict({ x: null, z: 1, f: 'a' }).y).toBe(0);
  });

  it('may be a baseline alone', () => {
    const predict = load(model([], [], { attributes, more: table }));
    expect(predict({ x: null, z: 5, f: null }).y).toBe(0.5);
  });

  it('has no prediction for a stratum that has no table', () => {
    const strata =
      '<BaseCumHazardTables><BaselineStratum value="a" maxTime="5">' +
      '<BaselineCell time="1" cumHazard="2"/></BaselineStratum></BaseCumHazardTables>';
    const options = { attributes: `${attributes} baselineStrataVariable="f"`, more: strata };
    const predict = load(model([], [], options));
    expect(predict({ x: 0, z: 3, f: 'a' }).y).toBe(2);
    expect(predict({ x: 0, z: 3, f: 'b' }).y).toBe(null);
  });

  it('needs a table with an end', () => {
    expect(() => load(line(attributes))).toThrow(/BaseCumHazardTables/);
    const open = table.replace(' maxTime="10"', '');
    expect(() => load(line(attributes, { more: open }))).toThrow(/maxTime/);
  });
});

it.each([
  ['a kind of model beyond the standard', line('modelType="ridge"'), /modelType="ridge"/],
  [
    'a link beyond the standard',
    line('modelType="generalizedLinear" linkFunction="cauchit"'),
    /linkFunction="cauchit"/,
  ],
  [
    'a link without its parameter',
    line('modelType="generalizedLinear" linkFunction="power"'),
    /linkParameter/,
  ],
  ['a predictor that is in no list', model([['p', 'y', '1']], [['p', 1]]), /y is neither/],
  [
    'a parameter that is not listed',
    model([], [['p', 1]]).replace('<Parameter name="p" />', ''),
    /no parameter p/,
  ],
  ['a power that is no number', model([['p', 'x', 'twice']], [['p', 1]]), /value="twice"/],
  [
    'an offset where there is none',
    line('modelType="generalLinear" offsetValue="2"'),
    /offsetValue="2"/,
  ],
  [
    'two offsets',
    line('modelType="generalizedLinear" linkFunction="log" offsetValue="2" offsetVariable="z"'),
    /exclude each other/,
  ],
])('refuses %s', (_, text, expected) => {
  expect(() => load(text)).toThrow(expected);
});

it('computes what a plain formula computes, for any design', async () => {
  const beta = fc.integer({ min: -9, max: 9 });
  const power = fc.integer({ min: 0, max: 2 });
  const anyTerm = fc.record({
    beta,
    x: power,
    z: power,
    f: fc.option(fc.constantFrom('a', 'b', 'c')),
  });
  const value = fc.integer({ min: -4, max: 4 });
  const anyRow = fc.record({ x: value, z: value, f: fc.constantFrom('a', 'b', 'c') });
  await fc.assert(
    fc.property(fc.array(anyTerm, { minLength: 1, maxLength: 6 }), anyRow, (terms, row) => {
      const cells = terms.flatMap((term, at): Cell[] => [
        ...(term.x > 0 ? [[`p${at}`, 'x', String(term.x)] as const] : []),
        ...(term.z > 0 ? [[`p${at}`, 'z', String(term.z)] as const] : []),
        ...(term.f === null ? [] : [[`p${at}`, 'f', term.f] as const]),
      ]);
      const betas = terms.map((term, at): Beta => [`p${at}`, term.beta]);
      const expected = terms.reduce((sum, term) => {
        const isOn = term.f === null || term.f === row.f;
        return sum + (isOn ? term.beta * row.x ** term.x * row.z ** term.z : 0);
      }, 0);
      expect(load(model(cells, betas))(row).y).toBeCloseTo(expected, 9);
    }),
    { numRuns: 60 },
  );
});
