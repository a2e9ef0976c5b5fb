// Segments: ensembles, chains, selections, and what they do without some of their predictions.

import { describe, expect, it } from 'vitest';
import { weightedMedian } from '../../src/processors/pmml/ensemble.ts';
import { load, pmml, probabilities, schema } from './pmml-documents.ts';

type Given = Readonly<Record<string, unknown>>;

/** A segment that predicts `value`, but nothing where x is greater than `to`. */
function number(value: number, weight: number, to = 100): string {
  const tree =
    `<Node score="${value}"><True/><Node score="${value}">` +
    `<SimplePredicate field="x" operator="lessOrEqual" value="${to}"/></Node></Node>`;
  return (
    `<Segment weight="${weight}"><True/><TreeModel functionName="regression">${schema('x')}` +
    `${tree}</TreeModel></Segment>`
  );
}

function numbers(method: string, segments: readonly string[], rest = ''): (row: Given) => unknown {
  const score = load(
    pmml(
      ['x:double', 'y:double'],
      `<MiningModel functionName="regression">${schema('x', 'y!')}` +
        `<Segmentation multipleModelMethod="${method}" ${rest}>${segments.join('')}` +
        '</Segmentation></MiningModel>',
    ),
  );
  return (row) => score(row).y;
}

/** A segment with shares of a and b. */
function shares(a: number, b: number, weight = 1, to = 100): string {
  const score = a > b ? 'a' : 'b';
  return (
    `<Segment weight="${weight}"><True/><TreeModel functionName="classification">${schema('x')}` +
    `<Node><True/><Node score="${score}">` +
    `<SimplePredicate field="x" operator="lessOrEqual" value="${to}"/>` +
    `<ScoreDistribution value="a" recordCount="${a}"/>` +
    `<ScoreDistribution value="b" recordCount="${b}"/></Node></Node></TreeModel></Segment>`
  );
}

function classes(method: string, segments: readonly string[], rest = ''): (row: Given) => Given {
  return load(
    pmml(
      ['x:double', 'y:string(a,b)'],
      `<MiningModel functionName="classification">${schema('x', 'y!')}` +
        `${probabilities('a', 'b')}<Segmentation multipleModelMethod="${method}" ${rest}>` +
        `${segments.join('')}</Segmentation></MiningModel>`,
    ),
  );
}

describe('ensembles of numbers', () => {
  const segments = [number(1, 1), number(2, 1), number(6, 2, 50)];

  it.each([
    ['average', 3],
    // (1 + 2 + 2 * 6) / 4
    ['weightedAverage', 3.75],
    ['median', 2],
    // Half of the weight lies at 2 and below: between 2 and 6.
    ['weightedMedian', 4],
    ['x-weightedMedian', 4],
    ['max', 6],
    ['sum', 9],
    ['weightedSum', 15],
    ['x-weightedSum', 15],
  ])('%s is %d', (method, result) => {
    expect(numbers(method, segments)({ x: 1 })).toBe(result);
  });

  it('know no whole without all of its parts, unless the model leaves them out', () => {
    const over = { x: 60 };
    for (const method of ['average', 'sum', 'median', 'max', 'weightedMedian']) {
      expect(numbers(method, segments)(over)).toBeNull();
    }
    expect(numbers('average', segments, 'missingPredictionTreatment="skipSegment"')(over)).toBe(
      1.5,
    );
    const missing = 'missingPredictionTreatment="returnMissing"';
    expect(numbers('average', segments, missing)(over)).toBeNull();
    // A weight of 2 in 4 is missing.
    const skip = 'x-missingPredictionTreatment="skipSegment" x-missingThreshold';
    expect(numbers('sum', segments, `${skip}="0.5"`)(over)).toBe(3);
    expect(numbers('sum', segments, `${skip}="0.49"`)(over)).toBeNull();
  });

  it('leave out segments whose predicates do not fit', () => {
    const small = number(7, 1).replace(
      '<True/>',
      '<SimplePredicate field="x" operator="lessThan" value="5"/>',
    );
    expect(numbers('sum', [number(1, 1), small])({ x: 1 })).toBe(8);
    expect(numbers('sum', [number(1, 1), small])({ x: 9 })).toBe(1);
  });

  it('find the middle of weights', () => {
    expect(weightedMedian([3, 1, 2], [3, 1, 1])).toBe(3);
    expect(weightedMedian([1, 2], [1, 1])).toBe(1.5);
    expect(weightedMedian([5], [0.1])).toBe(5);
  });

  it('round to 32 bits where the model asks for it', () => {
    const model = (math: string): unknown =>
      load(
        pmml(
          ['x:double', 'y:double'],
          `<MiningModel functionName="regression" ${math}>${schema('x', 'y!')}<Targets>` +
            '<Target field="y" rescaleConstant="0.5"/></Targets><Segmentation ' +
            `multipleModelMethod="sum">${number(0.1, 1)}${number(0.2, 1)}</Segmentation>` +
            '</MiningModel>',
        ),
      )({ x: 1 }).y;
    expect(model('')).toBe(0.1 + 0.2 + 0.5);
    const sum = Math.fround(Math.fround(0.1) + Math.fround(0.2));
    expect(model('x-mathContext="float"')).toBe(Math.fround(sum + 0.5));
  });
});

describe('ensembles of categories', () => {
  const segments = [shares(9, 1), shares(4, 6), shares(3, 7, 3, 50)];

  it('vote', () => {
    expect(classes('majorityVote', segments)({ x: 1 })).toEqual({
      y: 'b',
      'p(a)': expect.closeTo(1 / 3, 15),
      'p(b)': expect.closeTo(2 / 3, 15),
    });
    expect(classes('weightedMajorityVote', segments)({ x: 1 })).toEqual({
      y: 'b',
      'p(a)': 0.2,
      'p(b)': 0.8,
    });
    // One each: the category that the dictionary names first.
    expect(classes('majorityVote', segments.slice(0, 2))({ x: 1 }).y).toBe('a');
  });

  it('average probabilities', () => {
    // (0.9 + 0.4 + 0.3) / 3; (0.9 + 0.4 + 3 * 0.3) / 5; the surest alone
    const first = (method: string): unknown => classes(method, segments)({ x: 1 })['p(a)'];
    expect(first('average')).toBeCloseTo(1.6 / 3, 15);
    expect(first('weightedAverage')).toBeCloseTo(0.44, 15);
    expect(first('max')).toBe(0.9);
  });

  it('average probabilities of trees that split by numbers', () => {
    const leaf = (operator: string, a: number, b: number): string =>
      `<Node score="a"><SimplePredicate field="x" operator="${operator}" value="5"/>` +
      `<ScoreDistribution value="a" recordCount="${a}"/>` +
      `<ScoreDistribution value="b" recordCount="${b}"/></Node>`;
    const split = (weight: number, low: number, high: number): string =>
      `<Segment weight="${weight}"><True/><TreeModel functionName="classification">` +
      `${schema('x')}<Node><True/>${leaf('lessOrEqual', low, 10 - low)}` +
      `${leaf('greaterThan', high, 10 - high)}</Node></TreeModel></Segment>`;
    const trees = [split(1, 9, 2), split(3, 1, 4)];
    // (0.9 + 3 * 0.1) / 4; (0.2 + 0.4) / 2
    expect(classes('weightedAverage', trees)({ x: 5 })).toMatchObject({
      y: 'b',
      'p(a)': expect.closeTo(0.3, 15),
    });
    expect(classes('average', trees)({ x: 6 })['p(a)']).toBeCloseTo(0.3, 15);
    expect(classes('average', trees)({})).toEqual({ y: null, 'p(a)': null, 'p(b)': null });
    // A tree with another name among its own is added up by names.
    const third = shares(1, 1).replace('value="b" recordCount', 'value="c" recordCount');
    expect(classes('average', [...trees, third])({ x: 5 })).toMatchObject({
      'p(a)': expect.closeTo((0.9 + 0.1 + 0.5) / 3, 15),
      'p(b)': expect.closeTo((0.1 + 0.9) / 3, 15),
    });
  });

  it('count a missing prediction as a vote for none, unless the model leaves it out', () => {
    const over = { x: 60 };
    expect(classes('weightedMajorityVote', segments)(over).y).toBeNull();
    const skip = 'missingPredictionTreatment="skipSegment"';
    expect(classes('weightedMajorityVote', segments, skip)(over).y).toBe('a');
    const part = `${skip} missingThreshold="0.5"`;
    expect(classes('weightedMajorityVote', segments, part)(over).y).toBeNull();
  });

  it('are not made of medians', () => {
    expect(() => classes('median', segments)).toThrow(
      'multipleModelMethod="median" is not supported for classification',
    );
  });
});

describe('chains and selections', () => {
  const table = (rest: string): string =>
    `<RegressionTable intercept="1">${rest}</RegressionTable></RegressionModel></Segment>`;
  const first =
    `<Segment id="first"><True/><RegressionModel functionName="regression">${schema('x')}` +
    '<Output><OutputField name="sum" isFinalResult="false"/><OutputField name="twice" ' +
    'feature="transformedValue" dataType="double"><Apply function="*"><FieldRef field="sum"/>' +
    '<Constant>2</Constant></Apply></OutputField></Output>' +
    table('<NumericPredictor name="x" coefficient="1"/>');
  const second =
    '<Segment id="second"><SimplePredicate field="x" operator="greaterThan" value="0"/>' +
    `<RegressionModel functionName="regression">${schema('twice', 'y!')}` +
    table('<NumericPredictor name="twice" coefficient="10"/>');
  const chain = (method: string, output = '', segments = first + second): ((r: Given) => Given) =>
    load(
      pmml(
        ['x:double', 'y:double'],
        `<MiningModel functionName="regression">${schema('x', 'y!')}${output}` +
          `<Segmentation multipleModelMethod="${method}">${segments}</Segmentation></MiningModel>`,
      ),
    );

  it('hand results on from segment to segment', () => {
    // sum is x + 1, twice that; y is 1 + 10 * twice
    expect(chain('modelChain')({ x: 2 })).toEqual({ y: 61, twice: 6 });
    // The last segment that fits decides.
    expect(chain('modelChain')({ x: -2 })).toEqual({ y: -1, twice: -2 });
  });

  it('show what a single segment predicted', () => {
    const output =
      '<Output><OutputField name="of first" segmentId="first" dataType="double"/>' +
      '<OutputField name="of second" segmentId="second" dataType="double"/></Output>';
    expect(chain('modelChain', output)({ x: 2 })).toMatchObject({ 'of first': 3, 'of second': 61 });
    expect(chain('modelChain', output)({ x: -2 })).toMatchObject({ 'of second': null });
  });

  it('take the first segment that fits', () => {
    const segment = (id: string, value: number): string =>
      `<Segment id="${id}"><SimplePredicate field="x" operator="lessThan" value="${value}"/>` +
      `<RegressionModel functionName="regression">${schema('x', 'y!')}` +
      table(`<NumericPredictor name="x" coefficient="${value}"/>`);
    const output = '<Output><OutputField name="who" feature="entityId"/></Output>';
    const score = chain('selectFirst', output, segment('low', 1) + segment('high', 10));
    expect(score({ x: 0.5 })).toEqual({ y: 1.5, who: 'low' });
    expect(score({ x: 2 })).toEqual({ y: 21, who: 'high' });
    expect(score({ x: 20 })).toEqual({ y: null, who: null });
    const all = chain('selectAll', '', segment('low', 1) + segment('high', 10));
    expect(all({ x: 0.5 })).toEqual({ y: [1.5, 6] });
    expect(all({ x: 2 })).toEqual({ y: [21] });
  });

  it('predict several targets', () => {
    const segment = (name: string, slope: number): string =>
      `<Segment><True/><RegressionModel functionName="regression">${schema('x', `${name}!`)}` +
      table(`<NumericPredictor name="x" coefficient="${slope}"/>`);
    const score = load(
      pmml(
        ['x:double', 'y:double', 'z:double'],
        '<MiningModel functionName="mixed"><MiningSchema><MiningField name="x"/>' +
          '<MiningField name="y" usageType="target"/><MiningField name="z" usageType="target"/>' +
          '</MiningSchema><Segmentation multipleModelMethod="x-multiModelChain">' +
          `${segment('y', 2)}${segment('z', 3)}</Segmentation></MiningModel>`,
      ),
    );
    expect(score({ x: 5 })).toEqual({ y: 11, z: 16 });
  });

  it('treat values of the outer model anew where a segment says so', () => {
    const segment = number(0, 1)
      .replace('<MiningField name="x"/>', '<MiningField name="x" missingValueReplacement="3"/>')
      .replace('score="0"><SimplePredicate', 'score="5"><SimplePredicate');
    expect(numbers('sum', [segment])({ x: null, y: 0 })).toBe(5);
  });

  it('may take for missing what the outer model let pass', () => {
    const table =
      '<RegressionTable intercept="0"><CategoricalPredictor name="s" value="a" coefficient="3"/>' +
      '</RegressionTable>';
    const score = load(
      pmml(
        ['s:string(a,b)', 'y:double'],
        '<MiningModel functionName="regression"><MiningSchema>' +
          '<MiningField name="s" invalidValueTreatment="asIs"/>' +
          '<MiningField name="y" usageType="target"/></MiningSchema>' +
          '<Segmentation multipleModelMethod="sum"><Segment><True/>' +
          '<RegressionModel functionName="regression"><MiningSchema><MiningField name="s" ' +
          'invalidValueTreatment="asMissing" missingValueReplacement="a"/></MiningSchema>' +
          `${table}</RegressionModel></Segment></Segmentation></MiningModel>`,
      ),
    );
    expect(['a', 'b', 'z'].map((s) => score({ s }).y)).toEqual([3, 0, 3]);
  });

  it('are refused by name where they are not supported', () => {
    expect(() => chain('bestOf')).toThrow('multipleModelMethod="bestOf" is not supported');
    const other = '<Segment><True/><RuleSetModel functionName="classification"/></Segment>';
    expect(() => chain('modelChain', '', other)).toThrow(
      'Segment/RuleSetModel: models of this kind are not supported',
    );
  });
});
