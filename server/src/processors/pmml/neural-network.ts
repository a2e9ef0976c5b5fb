// Neural networks: layers of neurons, each a weighted sum (or a distance, for radial basis) put
// through an activation function; a layer may be normalised. Activations of all neurons stand in
// one array by the order of the file, so that a connection is a number. A connection from a neuron
// that comes later (a recurrent network) is refused.

import type { Element } from './element.ts';
import type { Compile, DataType, Evaluator, Expression, Row, Scope } from './model.ts';
import { noPrediction } from './model.ts';
import { floatSums, type Neuron, radial, sums } from './neural-layers.ts';
import { neuralOutputs } from './neural-outputs.ts';
import { cast } from './values.ts';

const normalizations = ['none', 'simplemax', 'softmax'] as const;
type Normalization = (typeof normalizations)[number];

/** Functions of PMML by their names; the two that need more than a sum are made further down. */
const activations = {
  logistic: (z: number) => 1 / (1 + Math.exp(-z)),
  tanh: Math.tanh,
  identity: (z: number) => z,
  exponential: Math.exp,
  reciprocal: (z: number) => 1 / z,
  square: (z: number) => z * z,
  Gauss: (z: number) => Math.exp(-z * z),
  sine: Math.sin,
  cosine: Math.cos,
  Elliott: (z: number) => z / (1 + Math.abs(z)),
  arctan: (z: number) => (2 * Math.atan(z)) / Math.PI,
  rectifier: (z: number) => Math.max(0, z),
} as const;

type Simple = keyof typeof activations;
type ActivationName = Simple | 'threshold' | 'radialBasis';

const activationNames: readonly ActivationName[] = [
  ...(Object.keys(activations) as Simple[]), // The keys of a literal are its keys.
  'threshold',
  'radialBasis',
];

/** What a layer takes from the network unless it says otherwise, and a neuron from its layer. */
interface Settings {
  readonly activation: ActivationName;
  readonly normalization: Normalization;
  readonly threshold: number;
  readonly width: number | undefined;
  readonly altitude: number;
}

interface Input {
  readonly expression: Expression;
  readonly dataType: DataType;
}

interface Layer {
  /** Where the activations of its neurons stand, one after the other. */
  readonly first: number;
  readonly count: number;
  /** Works out all of them from those before. */
  readonly fill: (states: Float64Array) => void;
  readonly normalization: Normalization;
}

/** Compiles a NeuralNetwork. */
export const compileNeuralNetwork: Compile = (element, scope) => {
  element.ignore('algorithmName', 'numberOfLayers');
  const settings = networkSettings(element);
  const places = new Map<string, number>();
  const inputs = neuralInputs(element.child('NeuralInputs'), scope, places);
  const layers = element
    .all('NeuralLayer')
    .map((layer) => neuralLayer(layer, settings, places, scope.isFloat));
  if (layers.length === 0) element.refuse('NeuralLayer is missing');
  const answer = neuralOutputs(element.child('NeuralOutputs'), scope, places);
  const states = new Float64Array(places.size);
  const evaluate: Evaluator = (row) => {
    if (!feed(inputs, row, states)) return noPrediction;
    for (const layer of layers) run(layer, states);
    return answer(states);
  };
  return evaluate;
};

function networkSettings(element: Element): Settings {
  return {
    activation: element.choice('activationFunction', activationNames),
    normalization: element.choice('normalizationMethod', normalizations, 'none'),
    threshold: element.optionalNumber('threshold') ?? 0,
    width: element.optionalNumber('width'),
    altitude: element.optionalNumber('altitude') ?? 1,
  };
}

function neuralInputs(
  element: Element,
  scope: Scope,
  places: Map<string, number>,
): readonly Input[] {
  element.ignore('numberOfInputs');
  return element.all('NeuralInput').map((input) => {
    place(input, places);
    const derived = input.child('DerivedField');
    derived.ignore('name', 'displayName', 'optype');
    const dataType = derived.choice('dataType', ['double', 'float', 'integer'], 'double');
    const [expression, more] = derived.everyChild();
    if (expression === undefined || more !== undefined) {
      return derived.refuse('it must have one expression');
    }
    return { expression: scope.expression(expression), dataType };
  });
}

function neuralLayer(
  element: Element,
  network: Settings,
  places: Map<string, number>,
  isFloat: boolean,
): Layer {
  element.ignore('numberOfNeurons');
  const settings: Settings = {
    activation: element.choice('activationFunction', activationNames, network.activation),
    normalization: element.choice('normalizationMethod', normalizations, network.normalization),
    threshold: element.optionalNumber('threshold') ?? network.threshold,
    width: element.optionalNumber('width') ?? network.width,
    altitude: element.optionalNumber('altitude') ?? network.altitude,
  };
  const first = places.size;
  const earlier = new Map(places);
  const neurons = element.all('Neuron').map((neuron) => {
    place(neuron, places);
    return readNeuron(neuron, settings, earlier);
  });
  if (neurons.length === 0) element.refuse('Neuron is missing');
  const fill = fillOf(first, neurons, settings, isFloat);
  return { first, count: neurons.length, fill, normalization: settings.normalization };
}

function place(element: Element, places: Map<string, number>): void {
  const id = element.required('id');
  if (places.has(id)) element.refuse(`the id ${id} is taken by another neuron`);
  places.set(id, places.size);
}

function readNeuron(
  element: Element,
  settings: Settings,
  earlier: ReadonlyMap<string, number>,
): Neuron {
  const connections = element.all('Con');
  const width = element.optionalNumber('width') ?? settings.width;
  if (settings.activation === 'radialBasis' && width === undefined) {
    element.refuse('radialBasis needs a width');
  }
  return {
    from: connections.map((connection) => {
      const id = connection.required('from');
      const found = earlier.get(id);
      return found ?? connection.refuse(`from="${id}" is no neuron of an earlier layer`);
    }),
    weights: connections.map((connection) => connection.requiredNumber('weight')),
    bias: element.optionalNumber('bias') ?? 0,
    width: width ?? 1,
    altitude: element.optionalNumber('altitude') ?? settings.altitude,
  };
}

function fillOf(
  first: number,
  neurons: readonly Neuron[],
  { activation, threshold }: Settings,
  isFloat: boolean,
): Layer['fill'] {
  if (activation === 'radialBasis') return radial(first, neurons);
  const step = (z: number): number => (z > threshold ? 1 : 0);
  const activate = activation === 'threshold' ? step : activations[activation];
  return isFloat ? floatSums(first, neurons, activate) : sums(first, neurons, activate);
}

/** False if an input is missing: then the network says nothing. */
function feed(inputs: readonly Input[], row: Row, states: Float64Array): boolean {
  for (const [at, { expression, dataType }] of inputs.entries()) {
    const value = cast(expression.evaluate(row), expression.dataType, dataType);
    if (typeof value !== 'number') return false;
    states[at] = value;
  }
  return true;
}

function run(layer: Layer, states: Float64Array): void {
  const { first, count } = layer;
  layer.fill(states);
  if (layer.normalization === 'none') return;
  const own = states.subarray(first, first + count);
  if (layer.normalization === 'softmax') {
    // The same as without the largest, but without numbers that are too large.
    const most = own.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
    for (const [at, state] of own.entries()) own[at] = Math.exp(state - most);
  }
  const total = own.reduce((one, other) => one + other, 0);
  for (const [at, state] of own.entries()) own[at] = state / total;
}
