// Clusters by centres: every measure and every function to compare fields with, weights, missing
// values, names, and what is refused.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, pmml, schema } from './pmml-documents.ts';

const outputs =
  '<Output><OutputField name="c" dataType="string" feature="predictedValue"/>' +
  '<OutputField name="name" dataType="string" feature="predictedDisplayValue"/>' +
  '<OutputField name="best" dataType="double" feature="affinity"/>' +
  '<OutputField name="to1" dataType="double" feature="clusterAffinity" value="1"/>' +
  '<OutputField name="to2" dataType="double" feature="clusterAffinity" value="2"/></Output>';

interface Options {
  readonly fields?: readonly string[];
  readonly clustering?: string;
  readonly kind?: string;
  readonly centers?: readonly string[];
  readonly more?: string;
}

const threeFields = ['x', 'y', 'z'].map((name) => `<ClusteringField field="${name}"/>`).join('');

function model(measure: string, options: Options = {}): string {
  const centers = options.centers ?? ['0 0 0', '2 4 4'];
  const clusters = centers.map(
    (center, at) =>
      `<Cluster name="group ${at + 1}"><Array type="real">${center}</Array></Cluster>`,
  );
  return pmml(
    options.fields ?? ['x:double', 'y:double', 'z:double'],
    '<ClusteringModel functionName="clustering" modelClass="centerBased" ' +
      `numberOfClusters="${centers.length}">` +
      `${schema('x', 'y', 'z')}${outputs}` +
      `<ComparisonMeasure ${options.kind ?? 'kind="distance"'}>${measure}</ComparisonMeasure>` +
      `${options.clustering ?? threeFields}${options.more ?? ''}${clusters.join('')}` +
      '</ClusteringModel>',
  );
}

// From (1, 0, 2) to (0, 0, 0) and to (2, 4, 4): differences 1, 0, 2 and 1, 4, 2.
it.each([
  ['<euclidean/>', Math.sqrt(5), Math.sqrt(21)],
  ['<squaredEuclidean/>', 5, 21],
  ['<chebychev/>', 2, 4],
  ['<cityBlock/>', 3, 7],
  ['<minkowski p-parameter="3"/>', Math.cbrt(9), Math.cbrt(73)],
])('measures by %s', (measure, to1, to2) => {
  expect(load(model(measure))({ x: 1, y: 0, z: 2 })).toMatchObject({
    c: '1',
    name: 'group 1',
    best: expect.closeTo(to1, 12),
    to1: expect.closeTo(to1, 12),
    to2: expect.closeTo(to2, 12),
  });
});

it('chooses the nearest', () => {
  const predict = load(model('<euclidean/>'));
  expect(predict({ x: 2, y: 3, z: 4 })).toMatchObject({ c: '2', name: 'group 2', best: 1 });
});

it('gives fields their weights', () => {
  const clustering = threeFields.replace('"y"', '"y" fieldWeight="0.5"');
  // 1 + 0.5 * 16 + 4; the largest is 0.5 * 4.
  expect(load(model('<squaredEuclidean/>', { clustering }))({ x: 1, y: 0, z: 2 }).to2).toBe(13);
  expect(load(model('<chebychev/>', { clustering }))({ x: 1, y: 0, z: 2 }).to2).toBe(2);
});

describe('a missing value', () => {
  it('is left out, and the others count for more', () => {
    const predict = load(model('<squaredEuclidean/>'));
    // (1 + 4) * 3/2 and (1 + 4) * 3/2.
    expect(predict({ x: 1, y: null, z: 2 })).toMatchObject({ to1: 7.5, to2: 7.5, c: '1' });
    expect(load(model('<euclidean/>'))({ x: 3, y: null, z: 4 }).to1).toBeCloseTo(
      Math.sqrt(37.5),
      12,
    );
  });

  it('counts by the weights that the file gives', () => {
    const more =
      '<MissingValueWeights><Array n="3" type="real">1 2 1</Array></MissingValueWeights>';
    // (1 + 4) * 4/2; the largest 2 * 4/2; the sum 3 * 4/2; all with 1 + 2 + 1 = 4.
    const row = { x: 1, y: null, z: 2 };
    expect(load(model('<squaredEuclidean/>', { more }))(row).to1).toBe(10);
    expect(load(model('<chebychev/>', { more }))(row).to1).toBe(4);
    expect(load(model('<cityBlock/>', { more }))(row).to1).toBe(6);
    expect(load(model('<minkowski p-parameter="1"/>', { more }))(row).to1).toBe(6);
  });

  it('leaves no cluster where all are missing', () => {
    expect(load(model('<euclidean/>'))({ x: null, y: null, z: null })).toMatchObject({
      c: null,
      best: null,
      to1: null,
    });
  });
});

// Differences to the first centre 1, 0, 2; with the scale 2 similarities of 2^-(1/4), 1, 1/2.
it.each([
  ['absDiff', 3],
  ['gaussSim', 2 ** -0.25 + 1 + 0.5],
  ['delta', 2],
  ['equal', 1],
])('compares fields by %s', (name, to1) => {
  const clustering = threeFields.replaceAll(
    '/>',
    ` compareFunction="${name}" ${name === 'gaussSim' ? 'similarityScale="2"' : ''}/>`,
  );
  const predict = load(model('<cityBlock/>', { clustering }));
  expect(predict({ x: 1, y: 0, z: 2 }).to1).toBeCloseTo(to1, 12);
});

it('takes the function of the measure where a field has none, and the most similar cluster', () => {
  const kind = 'kind="similarity" compareFunction="equal"';
  const clustering = threeFields.replace('"z"', '"z" compareFunction="delta"');
  const predict = load(model('<cityBlock/>', { kind, clustering }));
  // Equal in x, unequal in z: 2 against 0 + 1 of the other, which differs in all three.
  expect(predict({ x: 0, y: 1, z: 9 })).toMatchObject({ to1: 2, to2: 1, c: '1', best: 2 });
});

it('looks up what is near in a table', () => {
  const table =
    '<Comparisons><Matrix kind="symmetric"><Array>0</Array><Array>0.3 0</Array>' +
    '<Array>0.9 0.5 0</Array></Matrix></Comparisons>';
  const clustering =
    `<ClusteringField field="x" compareFunction="table">${table}</ClusteringField>` +
    '<ClusteringField field="y"/><ClusteringField field="z"/>';
  const fields = ['x:integer(1,2,5)', 'y:double', 'z:double'];
  const centers = ['1 0 0', '5 0 0'];
  const predict = load(model('<cityBlock/>', { clustering, fields, centers }));
  expect(predict({ x: 2, y: 0, z: 1 })).toMatchObject({ to1: 1.3, to2: 1.5, c: '1' });
});

// The row 1, 1, 0, 1 and the centre 1, 0, 0, 1: both 1 twice, row alone once, both 0 once.
it.each([
  ['<simpleMatching/>', 3 / 4],
  ['<jaccard/>', 2 / 3],
  ['<tanimoto/>', 3 / (2 + 2 * 1 + 1)],
  [
    '<binarySimilarity c11-parameter="4" c10-parameter="3" c01-parameter="2" c00-parameter="1" ' +
      'd11-parameter="1" d10-parameter="5" d01-parameter="1" d00-parameter="2"/>',
    (4 * 2 + 3 * 1 + 1) / (2 + 5 + 2),
  ],
])('counts agreement by %s', (measure, to1) => {
  const fields = ['x:double', 'y:double', 'z:double', 'v:boolean'];
  const clustering = `${threeFields}<ClusteringField field="v"/>`;
  const centers = ['1 0 0 1', '0 0 1 0'];
  const text = model(measure, { kind: 'kind="similarity"', fields, clustering, centers });
  const predict = load(text.replace('"z"/></Mining', '"z"/><MiningField name="v"/></Mining'));
  expect(predict({ x: 1, y: 1, z: 0, v: true })).toMatchObject({
    c: '1',
    to1: expect.closeTo(to1, 12),
  });
  // What is neither 0 nor 1 has no similarity.
  expect(predict({ x: 2, y: 1, z: 0, v: true })).toMatchObject({ c: null, to1: null });
});

it('reads centres that say only what is not 0', () => {
  const sparse = (n: string): string =>
    `<REAL-SparseArray n="${n}"><Indices>2 3</Indices><REAL-Entries>4 -1.5</REAL-Entries>` +
    '</REAL-SparseArray>';
  const dense = '<Array type="real">0 0 0</Array>';
  const predict = load(model('<cityBlock/>').replace(dense, sparse('3')));
  expect(predict({ x: 1, y: 0, z: 0 }).to1).toBe(1 + 4 + 1.5);
  const huge = model('<cityBlock/>').replace(dense, sparse('1e12'));
  expect(() => load(huge)).toThrow(/n="1000000000000"/);
});

it('tells clusters by their ids', () => {
  const text = model('<euclidean/>').replace('<Cluster name', '<Cluster id="far" name');
  const predict = load(text.replaceAll('value="1"', 'value="far"'));
  expect(predict({ x: 0, y: 0, z: 0 })).toMatchObject({ c: 'far', to1: 0 });
});

it.each([
  [
    'clusters by distributions',
    model('<euclidean/>').replace('centerBased', 'distributionBased'),
    /distributionBased/,
  ],
  ['a measure that is not known', model('<cosine/>'), /euclidean|cosine/],
  ['a similarity as a distance', model('<jaccard/>'), /kind="distance"/],
  [
    'a centre that is too short',
    model('<euclidean/>', { centers: ['0 0', '1 1 1'] }),
    /2 numbers for 3/,
  ],
  [
    'a wrong number of clusters',
    model('<euclidean/>').replace('Clusters="2"', 'Clusters="3"'),
    /numberOfClusters="3"/,
  ],
  [
    'centres of other numbers than 0 and 1 for a similarity',
    model('<jaccard/>', { kind: 'kind="similarity"' }),
    /0 and 1/,
  ],
  [
    'text',
    model('<euclidean/>', { fields: ['x:string(a,b)', 'y:double', 'z:double'] }),
    /the field x is text/,
  ],
  [
    'gaussSim without a scale',
    model('<euclidean/>', { kind: 'kind="similarity" compareFunction="gaussSim"' }),
    /similarityScale/,
  ],
  [
    'missing weights for some fields',
    model('<euclidean/>', {
      more: '<MissingValueWeights><Array type="real">1 2</Array></MissingValueWeights>',
    }),
    /2 numbers for 3/,
  ],
])('refuses %s', (_, text, expected) => {
  expect(() => load(text)).toThrow(expected);
});

it('measures what a plain formula measures, for any centres', async () => {
  const anyNumber = fc.integer({ min: -9, max: 9 });
  const anyPoint = fc.tuple(anyNumber, anyNumber, anyNumber);
  const anyWeight = fc.constantFrom(0.5, 1, 2);
  const anyRow = fc.tuple(...[1, 2, 3].map(() => fc.option(anyNumber)));
  await fc.assert(
    fc.property(
      fc.array(anyPoint, { minLength: 2, maxLength: 5 }),
      fc.tuple(anyWeight, anyWeight, anyWeight),
      fc.tuple(anyWeight, anyWeight, anyWeight),
      anyRow,
      (centers, weights, presences, row) => {
        fc.pre(row.some((value) => value !== null));
        const clustering = ['x', 'y', 'z']
          .map((name, at) => `<ClusteringField field="${name}" fieldWeight="${weights[at]}"/>`)
          .join('');
        const array = `<Array>${presences.join(' ')}</Array>`;
        const more = `<MissingValueWeights>${array}</MissingValueWeights>`;
        const predict = load(
          model('<euclidean/>', {
            clustering,
            more,
            centers: centers.map((each) => each.join(' ')),
          }),
        );
        const present = presences.filter((_, at) => row[at] !== null);
        const total = (list: readonly number[]): number =>
          list.reduce((sum, each) => sum + each, 0);
        const distances = centers.map((center) => {
          const squares = center.map((coordinate, at) => {
            const value = row[at] ?? null;
            return value === null ? 0 : (weights[at] ?? 0) * (value - coordinate) ** 2;
          });
          return Math.sqrt((total(squares) * total(presences)) / total(present));
        });
        const answer = predict({ x: row[0], y: row[1], z: row[2] });
        expect(answer.to1).toBeCloseTo(distances[0] ?? 0, 9);
        expect(answer.to2).toBeCloseTo(distances[1] ?? 0, 9);
        expect(distances[Number(answer.c) - 1]).toBeCloseTo(Math.min(...distances), 9);
      },
    ),
    { numRuns: 60 },
  );
});
