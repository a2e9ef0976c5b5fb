// Scorecards: sums of partial scores, and the reasons for them.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, pmml, schema } from './pmml-documents.ts';

const reasons = [1, 2, 3]
  .map(
    (rank) =>
      `<OutputField name="r${rank}" dataType="string" feature="reasonCode" rank="${rank}"/>`,
  )
  .join('');

const under = (field: string, limit: number): string =>
  `<SimplePredicate field="${field}" operator="lessThan" value="${limit}"/>`;

/** Age and income with two attributes each, and a city that may be missing. */
const characteristics =
  '<Characteristic name="age" reasonCode="AGE" baselineScore="30">' +
  `<Attribute partialScore="10">${under('age', 25)}</Attribute>` +
  '<Attribute partialScore="40"><True/></Attribute></Characteristic>' +
  '<Characteristic name="income" reasonCode="INC" baselineScore="25">' +
  `<Attribute partialScore="5" reasonCode="INC-LOW">${under('income', 1000)}</Attribute>` +
  `<Attribute>${under('income', 100000)}<ComplexPartialScore><Apply function="/">` +
  '<FieldRef field="income"/><Constant dataType="double">200</Constant></Apply>' +
  '</ComplexPartialScore></Attribute></Characteristic>' +
  '<Characteristic name="city" reasonCode="CITY" baselineScore="12">' +
  '<Attribute partialScore="-3"><SimplePredicate field="city" operator="isMissing"/></Attribute>' +
  '<Attribute partialScore="12"><True/></Attribute></Characteristic>';

function card(attributes: string, inside = characteristics): string {
  return pmml(
    ['age:double', 'income:double', 'city:string', 'score:double'],
    `<Scorecard functionName="regression" ${attributes}>` +
      schema('age', 'income', 'city', 'score!') +
      `<Output>${reasons}</Output><Characteristics>${inside}</Characteristics></Scorecard>`,
  );
}

describe('points below the baseline', () => {
  const predict = load(card('initialScore="100" reasonCodeAlgorithm="pointsBelow"'));

  it('adds the first attribute that holds of each characteristic, and ranks reasons', () => {
    // 100 + 10 + 3000/200 + 12; behind the baselines by 20 (AGE), 10 (INC), 0 (CITY).
    expect(predict({ age: 20, income: 3000, city: 'Ulm' })).toEqual({
      score: 137,
      r1: 'AGE',
      r2: 'INC',
      r3: 'CITY',
    });
  });

  it('prefers the reason of an attribute, and leaves out what was better than the baseline', () => {
    // 100 + 40 + 5 - 3; AGE is ahead by 10, INC-LOW behind by 20, CITY by 15.
    expect(predict({ age: 50, income: 400, city: null })).toEqual({
      score: 142,
      r1: 'INC-LOW',
      r2: 'CITY',
      r3: null,
    });
  });

  it('has no score where no attribute of a characteristic holds', () => {
    expect(predict({ age: 50, income: 200_000, city: 'Ulm' })).toEqual({
      score: null,
      r1: null,
      r2: null,
      r3: null,
    });
    // A predicate about a missing value holds no more than one that is false.
    expect(predict({ age: 50, income: null, city: 'Ulm' }).score).toBe(null);
  });
});

it('ranks points above the baseline the other way round', () => {
  const predict = load(card('reasonCodeAlgorithm="pointsAbove"'));
  // 40 + 9000/200 + 12; ahead by 10 (AGE), 20 (INC), 0 (CITY).
  expect(predict({ age: 50, income: 9000, city: 'Ulm' })).toEqual({
    score: 97,
    r1: 'INC',
    r2: 'AGE',
    r3: 'CITY',
  });
});

it('takes the baseline of the whole where a characteristic has none, and adds up a code', () => {
  const inside = characteristics
    .replaceAll(/ baselineScore="\d+"/g, '')
    .replaceAll(/reasonCode="(AGE|CITY)"/g, 'reasonCode="PERSON"');
  const predict = load(card('baselineScore="25"', inside));
  // PERSON: (25 - 40) + (25 - 12) = -2; INC: 25 - 10.
  expect(predict({ age: 50, income: 2000, city: 'Ulm' })).toMatchObject({ r1: 'INC', r2: null });
  // PERSON: (25 - 10) + (25 - 12) = 28; INC: 25 - 10.
  expect(predict({ age: 20, income: 2000, city: 'Ulm' })).toMatchObject({
    r1: 'PERSON',
    r2: 'INC',
  });
});

it('names equal reasons in the order of the file', () => {
  const predict = load(card('baselineScore="0"', characteristics.replace('="30"', '="20"')));
  // AGE and INC are both behind by 10.
  expect(predict({ age: 20, income: 3000, city: 'Ulm' })).toMatchObject({ r1: 'AGE', r2: 'INC' });
});

it('gives no reasons where the scorecard uses none', () => {
  const predict = load(card('useReasonCodes="false"'));
  expect(predict({ age: 20, income: 3000, city: 'Ulm' })).toMatchObject({ score: 37, r1: null });
});

it('adds in 32 bits where the file says so', () => {
  const bits = load(card('x-mathContext="float" initialScore="0.1"'));
  const { fround } = Math;
  const expected = fround(fround(fround(0.1 + 10) + 15) + 12);
  expect(bits({ age: 20, income: 3000, city: 'Ulm' }).score).toBe(expected);
});

it.each([
  [
    'reasons without a baseline',
    characteristics.replace(' baselineScore="25"', ''),
    /baselineScore/,
  ],
  [
    'an attribute without a reason',
    characteristics.replace(' reasonCode="CITY"', ''),
    /reasonCode/,
  ],
  [
    'an attribute without points',
    characteristics.replace(' partialScore="10"', ''),
    /partialScore/,
  ],
  ['an empty scorecard', '', /Characteristic is missing/],
  ['an element of its own', `${characteristics}<Bonus/>`, /Bonus/],
  ['an attribute of its own', characteristics.replace('name="age"', 'weight="2"'), /weight="2"/],
])('refuses %s', (_, inside, expected) => {
  expect(() => load(card('', inside))).toThrow(expected);
});

it('sums what a plain look-up finds, for any bins', async () => {
  const anyBins = fc.array(
    fc.array(fc.record({ below: fc.integer({ min: 0, max: 20 }), points: fc.integer() }), {
      minLength: 1,
      maxLength: 4,
    }),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.property(anyBins, fc.integer({ min: 0, max: 20 }), fc.integer(), (bins, age, initial) => {
      const inside = bins.map((list) => {
        const attributes = list.map(
          ({ below, points }) =>
            `<Attribute partialScore="${points}">${under('age', below)}</Attribute>`,
        );
        return `<Characteristic>${attributes.join('')}</Characteristic>`;
      });
      const predict = load(card(`initialScore="${initial}"`, inside.join('')));
      const found = bins.map((list) => list.find(({ below }) => age < below)?.points);
      const isWhole = found.every((points) => points !== undefined);
      const sum = found.reduce<number>((total, points) => total + (points ?? 0), initial);
      expect(predict({ age, income: 1, city: 'x' }).score).toBe(isWhole ? sum : null);
    }),
    { numRuns: 60 },
  );
});
