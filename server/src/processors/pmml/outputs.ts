// Output: what a model tells beside its target. Each OutputField is compiled to a step that writes
// a slot, so that later outputs and later segments can refer to it by name.

import type { Element } from './element.ts';
import { typeIn, valueIn } from './expression.ts';
import { expressionElements } from './expression-names.ts';
import { converted } from './invalid.ts';
import type {
  DataType,
  Distribution,
  Expression,
  OpType,
  Prediction,
  Result,
  Row,
  Target,
  Value,
} from './model.ts';
import type { ModelScope } from './scope.ts';
import { opTypeOf } from './values.ts';

/** A result with what writes it. */
export interface CompiledOutput {
  readonly result: Result;
  write(row: Row, prediction: Prediction): void;
}

/** Compiles the OutputFields of an Output element, in their order. */
export function compileOutputs(
  output: Element | undefined,
  scope: ModelScope,
  target: Target,
): readonly CompiledOutput[] {
  return (output?.all('OutputField') ?? []).map((element) => {
    const compiled = compileOutput(element, scope, target);
    scope.addResult(compiled.result);
    return compiled;
  });
}

function compileOutput(element: Element, scope: ModelScope, target: Target): CompiledOutput {
  const name = element.required('name');
  const targetName = element.optional('targetField');
  if (targetName !== undefined && target.name !== undefined && targetName !== target.name) {
    element.refuse(`${targetName} is not the target of this model`);
  }
  const segment = element.optional('segmentId');
  if (element.flag('isMultiValued', false)) element.refuse('isMultiValued is not supported');
  const feature = compileFeature(element, scope, target, segment !== undefined);
  const dataType = typeIn(element) ?? feature.dataType;
  const opType: OpType = element.choice(
    'optype',
    ['continuous', 'categorical', 'ordinal'],
    opTypeOf(dataType),
  );
  const slot = scope.newSlot();
  const { evaluate, dataType: from } = feature;
  const of =
    segment === undefined
      ? (prediction: Prediction) => prediction
      : (prediction: Prediction) => prediction.segments?.get(segment);
  return {
    result: {
      name,
      slot,
      dataType,
      opType,
      categories: feature.categories ?? [],
      isTarget: false,
      isFinal: element.flag('isFinalResult', true),
      isMany: false,
      about: element.optional('displayName'),
    },
    write(row, prediction) {
      const meant = of(prediction);
      const value = meant === undefined ? undefined : evaluate(meant, row);
      row[slot] = converted(value, from, dataType, `output ${name}`);
    },
  };
}

/** What an output says of a prediction. */
interface Feature {
  readonly dataType: DataType;
  readonly categories?: readonly Value[];
  evaluate(prediction: Prediction, row: Row): Value;
}

const features = [
  'predictedValue',
  'predictedDisplayValue',
  'transformedValue',
  'decision',
  'probability',
  'confidence',
  'affinity',
  'clusterAffinity',
  'entityAffinity',
  'entityId',
  'clusterId',
  'reasonCode',
  'warning',
] as const;

function compileFeature(
  element: Element,
  scope: ModelScope,
  target: Target,
  isOfSegment: boolean,
): Feature {
  const formula = element.optionalChild(...expressionElements);
  const feature = element.choice(
    'feature',
    features,
    formula === undefined ? 'predictedValue' : 'transformedValue',
  );
  if (formula !== undefined) return ofFormula(element, scope.expression(formula), feature);
  const rank = rankIn(element);
  switch (feature) {
    case 'predictedValue':
      if (rank > 1) return ranked(element, rank, target.dataType, nameAt, byProbability);
      return {
        // What a segment predicts need not be of the type of the whole model's target.
        dataType: isOfSegment ? (typeIn(element) ?? target.dataType) : target.dataType,
        categories: target.categories,
        evaluate: ({ value }) => value,
      };
    case 'predictedDisplayValue':
      return {
        dataType: 'string',
        evaluate: ({ value, displayValue }) => {
          if (value === undefined) return undefined;
          return displayValue ?? target.displayValues.get(value) ?? String(value);
        },
      };
    case 'probability':
      return distributed(element, target, rank, byProbability);
    case 'confidence':
      return distributed(element, target, rank, byConfidence);
    case 'affinity':
    case 'clusterAffinity':
    case 'entityAffinity':
      return ofAffinity(element, rank);
    case 'entityId':
    case 'clusterId':
      if (rank > 1) return ranked(element, rank, 'string', nameAt, byAffinity);
      return { dataType: 'string', evaluate: ({ entityId }) => entityId };
    case 'reasonCode':
      return { dataType: 'string', evaluate: ({ reasonCodes }) => reasonCodes?.[rank - 1] };
    case 'warning':
      return { dataType: 'string', evaluate: () => undefined };
    case 'transformedValue':
    case 'decision':
      return element.refuse(`${feature} needs an expression`);
  }
}

function ofFormula(element: Element, expression: Expression, feature: string): Feature {
  const { dataType, evaluate } = expression;
  const decisions = element.optionalChild('Decisions');
  if (feature !== 'decision') {
    if (feature !== 'transformedValue') element.refuse(`${feature} has no expression`);
    return { dataType, evaluate: (_, row) => evaluate(row) };
  }
  decisions?.ignore('businessProblem', 'description');
  const known = decisions?.all('Decision').map((decision) => {
    decision.ignore('displayValue', 'description');
    return valueIn(decision, decision.required('value'), dataType);
  });
  return {
    dataType,
    categories: known ?? [],
    evaluate: (_, row) => {
      const value = evaluate(row);
      return known === undefined || known.includes(value) ? value : undefined;
    },
  };
}

function rankIn(element: Element): number {
  element.choice('rankBasis', ['probability', 'confidence', 'affinity'], 'confidence');
  element.choice('rankOrder', ['descending'], 'descending');
  element.ignore('algorithm', 'ruleFeature');
  const rank = element.optionalNumber('rank') ?? 1;
  return Number.isInteger(rank) && rank > 0 ? rank : element.refuse(`rank="${rank}" is no rank`);
}

type Basis = (prediction: Prediction) => Distribution | undefined;
const byProbability: Basis = ({ probabilities }) => probabilities;
const byConfidence: Basis = ({ confidences }) => confidences;
const byAffinity: Basis = ({ affinities }) => affinities;

// Of a category, or of the one that the model predicts, or of the one with a rank.
function distributed(element: Element, target: Target, rank: number, basis: Basis): Feature {
  const text = element.optional('value');
  if (text === undefined && rank > 1) return ranked(element, rank, 'double', numberAt, basis);
  const category = text === undefined ? undefined : valueIn(element, text, target.dataType);
  return {
    dataType: 'double',
    evaluate: (prediction) => numberOf(basis(prediction), category ?? prediction.value),
  };
}

function ofAffinity(element: Element, rank: number): Feature {
  const id = element.optional('value');
  if (id === undefined && rank > 1) return ranked(element, rank, 'double', numberAt, byAffinity);
  return {
    dataType: 'double',
    evaluate: ({ affinities, entityId }) => numberOf(affinities, id ?? entityId),
  };
}

function numberOf(distribution: Distribution | undefined, name: Value): Value {
  if (distribution === undefined || name === undefined) return undefined;
  const at = distribution.names.indexOf(name);
  // A category that the distribution leaves out has no share, if the model gave one at all.
  return at === -1 ? 0 : distribution.numbers[at];
}

type Pick = (distribution: Distribution, at: number) => Value;
const nameAt: Pick = ({ names }, at) => names[at];
const numberAt: Pick = ({ numbers }, at) => numbers[at];

function ranked(
  element: Element,
  rank: number,
  dataType: DataType,
  pick: Pick,
  basis: Basis,
): Feature {
  element.ignore('value');
  return {
    dataType,
    evaluate: (prediction) => {
      const distribution = basis(prediction);
      if (distribution === undefined) return undefined;
      const order = Array.from(distribution.names, (_, at) => at);
      const sign = basis === byAffinity && prediction.isNearest === true ? 1 : -1;
      const { numbers } = distribution;
      order.sort((one, other) => sign * ((numbers[one] ?? 0) - (numbers[other] ?? 0)));
      const at = order[rank - 1];
      return at === undefined ? undefined : pick(distribution, at);
    },
  };
}
