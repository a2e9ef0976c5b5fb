// Naive Bayes: counts, distributions, the threshold, missing values, and what is refused.

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { load, pmml, probabilities, schema } from './pmml-documents.ts';

const counts = (pairs: Readonly<Record<string, number>>): string => {
  const all = Object.entries(pairs).map(
    ([value, count]) => `<TargetValueCount value="${value}" count="${count}"/>`,
  );
  return `<TargetValueCounts>${all.join('')}</TargetValueCounts>`;
};

const pairs = (field: string, table: Readonly<Record<string, Record<string, number>>>): string => {
  const all = Object.entries(table).map(
    ([value, row]) => `<PairCounts value="${value}">${counts(row)}</PairCounts>`,
  );
  return `<BayesInput fieldName="${field}">${all.join('')}</BayesInput>`;
};

const stats = (field: string, distributions: Readonly<Record<string, string>>): string => {
  const all = Object.entries(distributions).map(
    ([value, inner]) => `<TargetValueStat value="${value}">${inner}</TargetValueStat>`,
  );
  const inside = `<TargetValueStats>${all.join('')}</TargetValueStats>`;
  return `<BayesInput fieldName="${field}">${inside}</BayesInput>`;
};

const normal = (mean: number, variance: number): string =>
  `<GaussianDistribution mean="${mean}" variance="${variance}"/>`;
const skewed = '<GaussianDistribution skew="1" mean="0" variance="1"/>';
const poisson = (mean: number): string => `<PoissonDistribution mean="${mean}"/>`;

const colors = pairs('color', { red: { a: 3, b: 1 }, blue: { a: 1, b: 4 }, green: { a: 2 } });

function model(inputs: string, prior = counts({ a: 6, b: 5 }), threshold = 0.01): string {
  return pmml(
    ['color:string', 'size:double', 'y:string(a,b)'],
    `<NaiveBayesModel functionName="classification" threshold="${threshold}">` +
      `${schema('color', 'size', 'y!')}${probabilities('a', 'b')}` +
      `<BayesInputs>${inputs}</BayesInputs>` +
      `<BayesOutput fieldName="y">${prior}</BayesOutput></NaiveBayesModel>`,
  );
}

/** The answer with these likelihoods. */
const shares = (a: number, b: number) => ({
  y: a >= b ? 'a' : 'b',
  'p(a)': expect.closeTo(a / (a + b), 12),
  'p(b)': expect.closeTo(b / (a + b), 12),
});

it('multiplies prior and shares of counts', () => {
  // 6 * 3/6 against 5 * 1/5.
  expect(load(model(colors))({ color: 'red' })).toEqual(shares(3, 1));
  expect(load(model(colors))({ color: 'blue' })).toEqual(shares(1, 4));
});

it('puts the threshold where a pair never came up', () => {
  // green never came with b: 6 * 2/6 against 5 * 0.01.
  expect(load(model(colors))({ color: 'green' })).toEqual(shares(2, 0.05));
});

it('leaves out a value that is missing or was never seen', () => {
  expect(load(model(colors))({ color: null })).toEqual(shares(6, 5));
  expect(load(model(colors))({ color: 'violet' })).toEqual(shares(6, 5));
});

it('takes the density of a normal distribution, but not less than the threshold', () => {
  const predict = load(model(stats('size', { a: normal(10, 4), b: normal(16, 9) })));
  // exp(-1/8)/sqrt(8 pi) = 0.17603, exp(-25/18)/sqrt(18 pi) = 0.03316.
  expect(predict({ size: 11 })).toEqual(
    shares(
      (6 * Math.exp(-1 / 8)) / Math.sqrt(8 * Math.PI),
      (5 * Math.exp(-25 / 18)) / Math.sqrt(18 * Math.PI),
    ),
  );
  expect(predict({ size: 1000 })).toEqual(shares(6, 5));
});

it('takes the probability of a Poisson distribution', () => {
  const predict = load(model(stats('size', { a: poisson(2), b: poisson(5) })));
  // 2^3 e^-2 / 3! against 5^3 e^-5 / 3!.
  expect(predict({ size: 3 })).toEqual(
    shares((6 * 8 * Math.exp(-2)) / 6, (5 * 125 * Math.exp(-5)) / 6),
  );
  // No count at all: the threshold for both.
  expect(predict({ size: 2.5 })).toEqual(shares(6, 5));
});

it('counts far more events than a factorial can', () => {
  const predict = load(model(stats('size', { a: poisson(200), b: poisson(210) }), undefined, 0));
  // The factorials cancel: 200^205 e^-200 against 210^205 e^-210.
  const odds = (6 / 5) * Math.exp(205 * Math.log(200 / 210) + 10);
  expect(predict({ size: 205 })).toEqual(shares(odds, 1));
});

it('counts values by their intervals where the file says so', () => {
  const bins =
    '<BayesInput fieldName="size">' +
    '<DerivedField name="bin" optype="categorical" dataType="string">' +
    '<Discretize field="size"><DiscretizeBin binValue="small">' +
    '<Interval closure="openOpen" rightMargin="10"/></DiscretizeBin>' +
    '<DiscretizeBin binValue="large"><Interval closure="closedOpen" leftMargin="10"/>' +
    '</DiscretizeBin></Discretize></DerivedField>' +
    `<PairCounts value="small">${counts({ a: 4, b: 1 })}</PairCounts>` +
    `<PairCounts value="large">${counts({ a: 2, b: 4 })}</PairCounts></BayesInput>`;
  expect(load(model(bins))({ size: 9.9 })).toEqual(shares(4, 1));
  expect(load(model(bins))({ size: 10 })).toEqual(shares(2, 4));
});

it('reads an input that stands in an extension, as PMML 4.1 had it', () => {
  const inside = `<Extension>${stats('size', { a: normal(0, 1), b: normal(1, 1) })}</Extension>`;
  // Equal densities half-way.
  expect(load(model(colors + inside))({ color: 'red', size: 0.5 })).toEqual(shares(3, 1));
  expect(load(model(inside))({ size: 0 })).toEqual(shares(6, 5 * Math.exp(-0.5)));
});

it('answers nothing where every category is impossible', () => {
  const never = pairs('color', { red: { a: 0, b: 0 }, blue: { a: 6, b: 5 } });
  expect(load(model(never, undefined, 0))({ color: 'red' })).toEqual({
    y: null,
    'p(a)': null,
    'p(b)': null,
  });
});

it.each([
  [
    'a distribution beyond the standard',
    stats('size', { a: '<UniformDistribution lower="0" upper="1"/>', b: normal(0, 1) }),
    /UniformDistribution|Gaussian/,
  ],
  ['a variance of 0', stats('size', { a: normal(0, 0), b: normal(0, 1) }), /variance="0"/],
  ['a category without a distribution', stats('size', { a: normal(0, 1) }), /for b/],
  ['a category of pairs that is no category', pairs('color', { red: { c: 1 } }), /\bc\b/],
  [
    'an input that says nothing',
    '<BayesInput fieldName="size"/>',
    /TargetValueStats or PairCounts/,
  ],
  [
    'statistics in an extension of one program',
    '<BayesInput fieldName="size"><Extension name="x"><TargetStatistics/></Extension></BayesInput>',
    /TargetStatistics/,
  ],
  [
    'an attribute that is not known, in an extension too',
    `<Extension>${stats('size', { a: skewed, b: normal(1, 1) })}</Extension>`,
    /skew="1"/,
  ],
])('refuses %s', (_, inputs, expected) => {
  expect(() => load(model(inputs))).toThrow(expected);
});

it('computes what a plain product computes, for any counts', async () => {
  const count = fc.integer({ min: 0, max: 9 });
  const row = fc.record({ a: count, b: count });
  const table = fc.record({ red: row, blue: row });
  const anyPrior = fc.record({
    a: fc.integer({ min: 1, max: 9 }),
    b: fc.integer({ min: 1, max: 9 }),
  });
  const anyNormal = fc.record({
    mean: fc.integer({ min: -3, max: 3 }),
    variance: fc.integer({ min: 1, max: 9 }),
  });
  await fc.assert(
    fc.property(
      table,
      anyPrior,
      fc.tuple(anyNormal, anyNormal),
      fc.double({ min: -5, max: 5, noNaN: true }),
      (numbers, prior, [a, b], size) => {
        const inputs =
          pairs('color', numbers) +
          stats('size', { a: normal(a.mean, a.variance), b: normal(b.mean, b.variance) });
        const product = (key: 'a' | 'b', { mean, variance }: typeof a): number => {
          const total = numbers.red[key] + numbers.blue[key];
          const share = numbers.red[key] === 0 ? 0.01 : numbers.red[key] / total;
          const spread = Math.sqrt(2 * Math.PI * variance);
          const density = Math.exp(-((size - mean) ** 2) / (2 * variance)) / spread;
          return prior[key] * share * Math.max(density, 0.01);
        };
        const [likelyA, likelyB] = [product('a', a), product('b', b)];
        // Equal ones may fall either way by the last digit.
        fc.pre(Math.abs(likelyA / likelyB - 1) > 1e-9);
        const answer = load(model(inputs, counts(prior)))({ color: 'red', size });
        expect(answer).toEqual(shares(likelyA, likelyB));
      },
    ),
    { numRuns: 60 },
  );
});
