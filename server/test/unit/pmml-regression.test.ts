// Regressions: every link, and sums with what is missing. The sum is 0.4 wherever nothing else is
// said; the results of links were worked out with Python's Decimal and scipy's norm.

import { describe, expect, it } from 'vitest';
import { load, pmml, probabilities, schema } from './pmml-documents.ts';

function regression(method: string): unknown {
  const score = load(
    pmml(
      ['x:double', 'y:double'],
      `<RegressionModel functionName="regression" normalizationMethod="${method}">` +
        `${schema('x', 'y!')}<RegressionTable intercept="0.1">` +
        '<NumericPredictor name="x" coefficient="0.3"/></RegressionTable></RegressionModel>',
    ),
  );
  return score({ x: 1 }).y;
}

function classes(
  method: string,
  intercepts: readonly number[],
  optype = 'categorical',
): Readonly<Record<string, unknown>> {
  const names = ['a', 'b', 'c'].slice(0, Math.max(2, intercepts.length));
  const tables = intercepts.map(
    (intercept, at) => `<RegressionTable targetCategory="${names[at]}" intercept="${intercept}"/>`,
  );
  const document = pmml(
    ['x:double', `y:string(${names.join(',')})`],
    `<RegressionModel functionName="classification" normalizationMethod="${method}">` +
      `${schema('x', 'y!')}${probabilities(...names)}${tables.join('')}</RegressionModel>`,
  );
  const typed = document.replace('name="y" optype="categorical"', `name="y" optype="${optype}"`);
  return load(typed)({ x: 1 });
}

describe('links of a number', () => {
  it.each([
    ['none', 0.4],
    // 1 / (1 + e^-0.4)
    ['logit', 0.598687660112452],
    ['softmax', 0.598687660112452],
    ['exp', 1.4918246976412703],
    // The share of a standard normal distribution below 0.4.
    ['probit', 0.6554217416103242],
    // 1 - e^(-e^0.4)
    ['cloglog', 0.7750382064500816],
    // e^(-e^-0.4)
    ['loglog', 0.5115448336890416],
    // 1/2 + arctan(0.4) / pi
    ['cauchit', 0.6211189415908434],
  ])('%s makes 0.4 %d', (method, result) => {
    expect(regression(method)).toBeCloseTo(result, 14);
  });

  it('are not all that there could be', () => {
    expect(() => regression('simplemax')).toThrow('"simplemax" does not fit the target');
    expect(() => regression('log')).toThrow('normalizationMethod="log" is not supported');
  });
});

describe('links of categories', () => {
  it('take the first of two, the second is the rest', () => {
    const logit = 0.598687660112452;
    for (const tables of [[0.4, 0], [0.4]]) {
      expect(classes('logit', tables)).toEqual({
        y: 'a',
        'p(a)': expect.closeTo(logit, 14),
        'p(b)': expect.closeTo(1 - logit, 14),
      });
    }
    expect(classes('none', [0.3, 0])).toEqual({ y: 'b', 'p(a)': 0.3, 'p(b)': 0.7 });
  });

  it('have no use for terms of the second of two', () => {
    const table = (category: string): string =>
      `<RegressionTable targetCategory="${category}" intercept="0">` +
      '<NumericPredictor name="x" coefficient="1"/></RegressionTable>';
    const model = (method: string): string =>
      `<RegressionModel functionName="classification" normalizationMethod="${method}">` +
      `${schema('x', 'y!')}${table('a')}${table('b')}</RegressionModel>`;
    const fields = ['x:double', 'y:string(a,b)'];
    expect(() => load(pmml(fields, model('logit')))).toThrow(
      'RegressionTable[2]: normalizationMethod="logit" has no use for its terms',
    );
    expect(load(pmml(fields, model('softmax')))({ x: 3 })).toMatchObject({ y: 'a' });
  });

  it('share between several', () => {
    // e, 1 and 1 over their sum; 1, 2 and 5 of 8
    const total = Math.E + 2;
    expect(classes('softmax', [1, 0, 0])).toMatchObject({
      y: 'a',
      'p(a)': expect.closeTo(Math.E / total, 14),
      'p(c)': expect.closeTo(1 / total, 14),
    });
    expect(classes('simplemax', [1, 2, 5])).toEqual({
      y: 'c',
      'p(a)': 0.125,
      'p(b)': 0.25,
      'p(c)': 0.625,
    });
    expect(classes('softmax', [1000, 0, 0])).toMatchObject({ 'p(a)': 1 });
    expect(() => classes('probit', [1, 2, 3])).toThrow('more than two categories');
  });

  it('accumulate over ordered ones', () => {
    // 1 / (1 + e^0) = 0.5; 1 / (1 + e^-0.4) less that; the rest
    expect(classes('logit', [0, 0.4, 0], 'ordinal')).toEqual({
      y: 'a',
      'p(a)': 0.5,
      'p(b)': expect.closeTo(0.098687660112452, 14),
      'p(c)': expect.closeTo(0.401312339887548, 14),
    });
  });
});

describe('sums', () => {
  const score = load(
    pmml(
      ['x:double', 'z:double', 'f:boolean', 's:string', 'y:double'],
      `<RegressionModel functionName="regression">${schema('x', 'z', 'f', 's', 'y!')}` +
        '<RegressionTable intercept="1"><NumericPredictor name="x" exponent="2" coefficient="3"/>' +
        '<NumericPredictor name="f" coefficient="10"/>' +
        '<CategoricalPredictor name="s" value="a" coefficient="100"/>' +
        '<CategoricalPredictor name="s" value="b" coefficient="200"/>' +
        '<PredictorTerm coefficient="0.5"><FieldRef field="x"/><FieldRef field="z"/>' +
        '</PredictorTerm></RegressionTable></RegressionModel>',
    ),
  );

  it('know powers, categories and products', () => {
    // 1 + 3 * 4 + 10 + 100 + 0.5 * 2 * 6
    expect(score({ x: 2, z: 6, f: true, s: 'a' })).toEqual({ y: 129 });
    expect(score({ x: 2, z: 6, f: false, s: 'b' })).toEqual({ y: 219 });
  });

  it('are missing with a missing number, not with a missing category', () => {
    expect(score({ x: 2, z: 6, f: false, s: 'c' })).toEqual({ y: 19 });
    expect(score({ x: 2, z: 6, f: false })).toEqual({ y: 19 });
    expect(score({ x: 2, f: true, s: 'a' })).toEqual({ y: null });
  });

  it('round to 32 bits after each step where the model asks for it', () => {
    const table =
      '<RegressionTable intercept="0.1"><NumericPredictor name="x" coefficient="0.2"/>' +
      '</RegressionTable></RegressionModel>';
    const model = (math: string): string =>
      `<RegressionModel functionName="regression" ${math}>${schema('x', 'y!')}${table}`;
    const of = (math: string): unknown =>
      load(pmml(['x:double', 'y:double'], model(math)))({ x: 1 }).y;
    expect(of('')).toBe(0.1 + 0.2);
    const wide = Math.fround(Math.fround(0.1) + Math.fround(0.2));
    expect(of('x-mathContext="float"')).toBe(wide);
  });
});
