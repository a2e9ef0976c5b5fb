// Outputs: what each feature tells of a prediction, and formulas over it.

import { describe, expect, it } from 'vitest';
import { load, pmml, schema } from './pmml-documents.ts';

type Given = Readonly<Record<string, unknown>>;

/** A softmax over a (x), b (0) and c (1) with these outputs. */
function outputs(fields: string): (row: Given) => Given {
  return load(
    pmml(
      ['x:double', 'y:string(a,b,c)'],
      '<RegressionModel functionName="classification" normalizationMethod="softmax">' +
        `${schema('x', 'y!')}<Output>${fields}</Output>` +
        '<RegressionTable targetCategory="a" intercept="0"><NumericPredictor name="x" ' +
        'coefficient="1"/></RegressionTable>' +
        '<RegressionTable targetCategory="b" intercept="0"/>' +
        '<RegressionTable targetCategory="c" intercept="1"/></RegressionModel>',
    ),
  );
}

// e^0, e^0 and e^1 over their sum
const total = 2 + Math.E;

describe('features', () => {
  it('tell of the prediction', () => {
    const score = outputs(
      '<OutputField name="value"/><OutputField name="shown" feature="predictedDisplayValue"/>' +
        '<OutputField name="p" feature="probability"/>' +
        '<OutputField name="p(a)" feature="probability" value="a"/>' +
        '<OutputField name="warning" feature="warning"/>' +
        '<OutputField name="confidence" feature="confidence"/>',
    );
    expect(score({ x: 0 })).toEqual({
      y: 'c',
      value: 'c',
      shown: 'c',
      p: expect.closeTo(Math.E / total, 14),
      'p(a)': expect.closeTo(1 / total, 14),
      warning: null,
      confidence: null,
    });
  });

  it('tell of the second best', () => {
    const score = outputs(
      '<OutputField name="second" feature="predictedValue" rank="2"/>' +
        '<OutputField name="share" feature="probability" rank="2"/>' +
        '<OutputField name="third" rank="3"/>' +
        '<OutputField name="fourth" feature="predictedValue" rank="4"/>',
    );
    expect(score({ x: 0.5 })).toMatchObject({
      second: 'a',
      share: expect.closeTo(Math.exp(0.5) / (1 + Math.exp(0.5) + Math.E), 14),
      third: 'b',
      fourth: null,
    });
  });
});

describe('formulas', () => {
  const above =
    '<Apply function="if"><Apply function="greaterThan"><FieldRef field="p(a)"/>' +
    '<Constant>0.5</Constant></Apply><Constant>accept</Constant><Constant>refuse</Constant>' +
    '</Apply>';

  it('use inputs and earlier outputs', () => {
    const score = outputs(
      '<OutputField name="p(a)" feature="probability" value="a" isFinalResult="false"/>' +
        `<OutputField name="verdict" feature="transformedValue" dataType="string">${above}` +
        '</OutputField><OutputField name="x squared" dataType="double"><Apply function="pow">' +
        '<FieldRef field="x"/><Constant>2</Constant></Apply></OutputField>',
    );
    expect(score({ x: 3 })).toEqual({ y: 'a', verdict: 'accept', 'x squared': 9 });
    expect(score({ x: 0 })).toEqual({ y: 'c', verdict: 'refuse', 'x squared': 0 });
  });

  it('decide among the decisions that there are', () => {
    const score = outputs(
      '<OutputField name="p(a)" feature="probability" value="a"/>' +
        `<OutputField name="decision" feature="decision" dataType="string">${above}` +
        '<Decisions businessProblem="whom to trust"><Decision value="accept"/></Decisions>' +
        '</OutputField>',
    );
    expect(score({ x: 3 }).decision).toBe('accept');
    expect(score({ x: 0 }).decision).toBeNull();
  });
});

it('refuses features that need what no model here has', () => {
  const refused = ['residual', 'standardError', 'ruleValue', 'antecedent', 'standardDeviation'];
  for (const feature of refused) {
    expect(() => outputs(`<OutputField name="r" feature="${feature}"/>`)).toThrow(
      `feature="${feature}" is not supported`,
    );
  }
  expect(() => outputs('<OutputField name="t" feature="transformedValue"/>')).toThrow(
    'transformedValue needs an expression',
  );
  expect(() => outputs('<OutputField name="t" targetField="z"/>')).toThrow('z is not the target');
});

it('answers the target and all probabilities where the model has no outputs', () => {
  const score = load(
    pmml(
      ['x:double', 'y:integer(0,1)'],
      '<RegressionModel functionName="classification" normalizationMethod="none">' +
        `${schema('x', 'y!')}<RegressionTable targetCategory="1" intercept="0.75"/>` +
        '<RegressionTable targetCategory="0" intercept="0"/></RegressionModel>',
    ),
  );
  expect(score({ x: 1 })).toEqual({ y: 1, probabilities: { '1': 0.75, '0': 0.25 } });
});
