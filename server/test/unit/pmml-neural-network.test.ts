// Neural networks: every activation function, normalisations, settings of layers and neurons, and
// what the outputs mean.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, pmml, probabilities, schema } from './pmml-documents.ts';

/** A network from x to y with what stands between its inputs and outputs. */
function network(inside: string, options: { attributes?: string; output?: string } = {}): string {
  const { attributes = 'activationFunction="identity"' } = options;
  const output = options.output ?? '<FieldRef field="y"/>';
  return pmml(
    ['x:double', 'y:double'],
    `<NeuralNetwork functionName="regression" ${attributes}>${schema('x', 'y!')}` +
      '<NeuralInputs><NeuralInput id="in">' +
      '<DerivedField optype="continuous" dataType="double"><FieldRef field="x"/></DerivedField>' +
      `</NeuralInput></NeuralInputs>${inside}` +
      '<NeuralOutputs><NeuralOutput outputNeuron="out">' +
      `<DerivedField optype="continuous" dataType="double">${output}</DerivedField>` +
      '</NeuralOutput></NeuralOutputs></NeuralNetwork>',
  );
}

const single =
  '<NeuralLayer><Neuron id="out" bias="-0.1"><Con from="in" weight="1.2"/></Neuron></NeuralLayer>';

// With x = 0.5 the sum is 1.2 * 0.5 - 0.1 = 0.5; values of a pocket calculator.
it.each([
  ['threshold', 1],
  ['logistic', 0.6224593312018546],
  ['tanh', 0.46211715726001],
  ['identity', 0.5],
  ['exponential', 1.6487212707001282],
  ['reciprocal', 2],
  ['square', 0.25],
  ['Gauss', 0.7788007830714049],
  ['sine', 0.479425538604203],
  ['cosine', 0.8775825618903728],
  ['Elliott', 1 / 3],
  ['arctan', 0.2951672353008665],
  ['rectifier', 0.5],
])('activates with %s', (name, expected) => {
  const predict = load(network(single, { attributes: `activationFunction="${name}"` }));
  expect(predict({ x: 0.5 })).toEqual({ y: expect.closeTo(expected, 12) });
});

it('cuts off below zero with a rectifier, and at its threshold with a threshold', () => {
  expect(load(network(single, { attributes: 'activationFunction="rectifier"' }))({ x: -1 }).y).toBe(
    0,
  );
  const step = 'activationFunction="threshold" threshold="0.5"';
  const predict = load(network(single, { attributes: step }));
  expect(predict({ x: 0.51 }).y).toBe(1);
  expect(predict({ x: 0.49 }).y).toBe(0);
});

it('takes what a layer or a neuron says before what the network says', () => {
  const layer =
    '<NeuralLayer activationFunction="radialBasis" width="2" altitude="3">' +
    '<Neuron id="a"><Con from="in" weight="1"/></Neuron>' +
    '<Neuron id="b" width="1" altitude="2"><Con from="in" weight="1"/></Neuron></NeuralLayer>' +
    '<NeuralLayer><Neuron id="out"><Con from="a" weight="10"/><Con from="b" weight="1"/></Neuron>' +
    '</NeuralLayer>';
  const predict = load(
    network(layer, { attributes: 'activationFunction="identity" width="9" altitude="9"' }),
  );
  // a: exp(1 ln 3 - (1 - 4)^2 / (2 * 2^2)) = 3 exp(-9/8); b: 2 exp(-9/2).
  const expected = 10 * 3 * Math.exp(-9 / 8) + 2 * Math.exp(-9 / 2);
  expect(predict({ x: 4 }).y).toBeCloseTo(expected, 12);
});

it('normalises a layer by its own method, or by that of the network', () => {
  const layer = (attributes: string): string =>
    `<NeuralLayer ${attributes}><Neuron id="a"><Con from="in" weight="1"/></Neuron>` +
    '<Neuron id="b"><Con from="in" weight="3"/></Neuron></NeuralLayer>' +
    '<NeuralLayer normalizationMethod="none"><Neuron id="out"><Con from="a" weight="1"/></Neuron>' +
    '</NeuralLayer>';
  const own = load(network(layer('normalizationMethod="simplemax"')));
  // 1 / (1 + 3).
  expect(own({ x: 1 }).y).toBe(0.25);
  const general = 'activationFunction="identity" normalizationMethod="softmax"';
  const softmax = load(network(layer(''), { attributes: general }));
  // e / (e + e^3) = 1 / (1 + e^2).
  expect(softmax({ x: 1 }).y).toBeCloseTo(1 / (1 + Math.exp(2)), 12);
  expect(softmax({ x: 1000 }).y).toBe(0);
});

describe('an output on another scale', () => {
  const scaled = (outliers: string): string =>
    `<NormContinuous field="y" outliers="${outliers}"><LinearNorm orig="10" norm="0"/>` +
    '<LinearNorm orig="30" norm="1"/><LinearNorm orig="70" norm="2"/></NormContinuous>';
  const straight =
    '<NeuralLayer><Neuron id="out"><Con from="in" weight="1"/></Neuron></NeuralLayer>';

  it.each([
    // Between the points, and beyond them on the lines of the ends: 10 - 20, 70 + 40.
    ['asIs', [-1, 0.25, 1.5, 3], [-10, 15, 50, 110]],
    ['asExtremeValues', [-1, 0.25, 1.5, 3], [10, 15, 50, 70]],
    ['asMissingValues', [-1, 0.25, 1.5, 3], [null, 15, 50, null]],
  ])('is scaled back, outliers %s', (outliers, given, expected) => {
    const predict = load(network(straight, { output: scaled(outliers) }));
    expect(given.map((x) => predict({ x }).y)).toEqual(expected);
  });

  it('is scaled back from a scale that falls', () => {
    const falling =
      '<NormContinuous field="y"><LinearNorm orig="0" norm="1"/><LinearNorm orig="8" norm="-1"/>' +
      '</NormContinuous>';
    expect(load(network(straight, { output: falling }))({ x: 0.5 }).y).toBe(2);
  });
});

it('answers nothing where an input is missing', () => {
  expect(load(network(single))({ x: null })).toEqual({ y: null });
});

it('adds in 32 bits where the file says so', () => {
  const attributes = 'activationFunction="identity" x-mathContext="float"';
  const { fround } = Math;
  const sum = fround(fround(-0.1) + fround(fround(1.2) * fround(0.3)));
  expect(load(network(single, { attributes }))({ x: 0.3 }).y).toBe(sum);
});

const category = (name: string): string =>
  '<NeuralOutput outputNeuron="out"><DerivedField optype="continuous" dataType="double">' +
  `<NormDiscrete field="y" value="${name}"/></DerivedField></NeuralOutput>`;

const twoLayers = (connection: string): string =>
  `<NeuralLayer><Neuron id="out">${connection}</Neuron></NeuralLayer>` +
  '<NeuralLayer><Neuron id="late"><Con from="in" weight="1"/></Neuron></NeuralLayer>';

it.each([
  ['a connection from a later layer', network(twoLayers('<Con from="late" weight="1"/>')), /late/],
  ['a connection from nowhere', network(twoLayers('<Con from="no" weight="1"/>')), /from="no"/],
  [
    'a function that is not in the standard',
    network(single, { attributes: 'activationFunction="swish"' }),
    /activationFunction="swish"/,
  ],
  [
    'radial basis without a width',
    network(single, { attributes: 'activationFunction="radialBasis"' }),
    /width/,
  ],
  [
    'a method that is not known',
    network(single).replace('<NeuralLayer>', '<NeuralLayer normalizationMethod="hard">'),
    /normalizationMethod="hard"/,
  ],
  ['two neurons with one id', network(single + single), /id out/],
  [
    'two outputs for one category',
    pmml(
      ['x:double', 'y:string(a,b)'],
      '<NeuralNetwork functionName="classification" activationFunction="identity">' +
        `${schema('x', 'y!')}<NeuralInputs><NeuralInput id="in">` +
        '<DerivedField optype="continuous" dataType="double"><FieldRef field="x"/></DerivedField>' +
        '</NeuralInput></NeuralInputs>' +
        `${single}<NeuralOutputs>${category('a')}${category('a')}</NeuralOutputs></NeuralNetwork>`,
    ),
    /another output for a/,
  ],
  ['an output for another field', network(single, { output: '<FieldRef field="x"/>' }), /target y/],
  [
    'an output by a formula',
    network(single, { output: '<Constant>1</Constant>' }),
    /Constant|FieldRef/,
  ],
  ['a weight that is no number', network(single.replace('1.2', 'much')), /weight="much"/],
])('refuses %s', (_, text, expected) => {
  expect(() => load(text)).toThrow(expected);
});

const activations: Readonly<Record<string, (z: number) => number>> = {
  logistic: (z) => Math.exp(z) / (1 + Math.exp(z)),
  tanh: (z) => (Math.exp(2 * z) - 1) / (Math.exp(2 * z) + 1),
  identity: (z) => z,
  Gauss: (z) => 1 / Math.exp(z * z),
  Elliott: (z) => (z < 0 ? z / (1 - z) : z / (1 + z)),
  rectifier: (z) => (z + Math.abs(z)) / 2,
};
const names = Object.keys(activations);
const weight = fc.double({ min: -2, max: 2, noNaN: true });
const anyLayer = fc.record({
  name: fc.constantFrom(...names),
  isSoft: fc.boolean(),
  rows: fc.array(fc.array(weight, { minLength: 5, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
});

/** Columns of weights beyond what a layer has before it are left out, the last one is the bias. */
type Layer = { name: string; isSoft: boolean; rows: number[][] };

it('computes what a plain product of matrices computes, for any layers', async () => {
  await fc.assert(
    fc.property(
      fc.array(anyLayer, { minLength: 1, maxLength: 3 }),
      fc.array(weight, { minLength: 3, maxLength: 3 }),
      (layers, x) => {
        const last = layers.at(-1);
        const [first] = last?.rows ?? [];
        if (last === undefined || first === undefined) return;
        // Two categories at least.
        const all = [
          ...layers.slice(0, -1),
          { ...last, rows: [...last.rows, first.map((w) => -w)] },
        ];
        const answer = load(written(all))({ a: x[0], b: x[1], c: x[2] });
        const expected = computed(all, x);
        for (const [at, share] of expected.entries()) {
          expect(answer[`p(${at})`]).toBeCloseTo(share, 9);
        }
        const best = Math.max(...expected);
        expect(expected[Number(answer.y)]).toBeCloseTo(best, 9);
      },
    ),
    { numRuns: 60 },
  );
});

function computed(layers: readonly Layer[], x: readonly number[]): number[] {
  let states = [...x];
  for (const { name, isSoft, rows } of layers) {
    const outputs = rows.map((row) => {
      const sum = states.reduce((total, state, at) => total + state * (row[at] ?? 0), row[4] ?? 0);
      return activations[name]?.(sum) ?? Number.NaN;
    });
    const total = outputs.reduce((sum, state) => sum + Math.exp(state), 0);
    states = isSoft ? outputs.map((state) => Math.exp(state) / total) : outputs;
  }
  return states;
}

function written(layers: readonly Layer[]): string {
  let before = ['a', 'b', 'c'];
  const elements = layers.map(({ name, isSoft, rows }, depth) => {
    const neurons = rows.map((row, at) => {
      const connections = before.map((id, of) => `<Con from="${id}" weight="${row[of]}"/>`);
      return `<Neuron id="${depth}-${at}" bias="${row[4]}">${connections.join('')}</Neuron>`;
    });
    before = rows.map((_, at) => `${depth}-${at}`);
    const method = isSoft ? 'softmax' : 'none';
    return (
      `<NeuralLayer activationFunction="${name}" normalizationMethod="${method}">` +
      `${neurons.join('')}</NeuralLayer>`
    );
  });
  const categories = before.map((_, at) => String(at));
  const derived = (inside: string): string =>
    `<DerivedField optype="continuous" dataType="double">${inside}</DerivedField>`;
  const inputs = ['a', 'b', 'c'].map(
    (id) => `<NeuralInput id="${id}">${derived(`<FieldRef field="${id}"/>`)}</NeuralInput>`,
  );
  const outputs = before.map(
    (id, at) =>
      `<NeuralOutput outputNeuron="${id}">` +
      `${derived(`<NormDiscrete field="y" value="${at}"/>`)}</NeuralOutput>`,
  );
  return pmml(
    ['a:double', 'b:double', 'c:double', `y:string(${categories.join(',')})`],
    '<NeuralNetwork functionName="classification" activationFunction="tanh">' +
      `${schema('a', 'b', 'c', 'y!')}${probabilities(...categories)}` +
      `<NeuralInputs>${inputs.join('')}</NeuralInputs>${elements.join('')}` +
      `<NeuralOutputs>${outputs.join('')}</NeuralOutputs></NeuralNetwork>`,
  );
}
