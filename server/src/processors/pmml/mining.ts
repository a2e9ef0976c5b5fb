// MiningModel: segments, each with a predicate and a model, and how their predictions become one:
// the first that fits, a chain in which each sees the results of those before, or an ensemble.

import type { Element } from './element.ts';
import {
  combinationOf,
  type EnsembleMethod,
  ensembleMethods,
  numberCombinationOf,
} from './ensemble.ts';
import {
  type Evaluator,
  noPrediction,
  type Predicate,
  type Prediction,
  type Row,
  type Scope,
  type Shares,
  type Submodel,
} from './model.ts';
import { predicateElements } from './predicates.ts';
import { mostProbable } from './regression.ts';

const chains = ['modelChain', 'multiModelChain', 'selectFirst', 'selectAll'] as const;

type Method = EnsembleMethod | (typeof chains)[number];

/** What becomes of the whole where a segment that fits predicts nothing. */
interface MissingRule {
  readonly treatment: 'continue' | 'skipSegment' | 'returnMissing';
  readonly threshold: number;
}

interface Segment {
  readonly id: string;
  readonly weight: number;
  /** Undefined for the predicate True, which most segments have. */
  readonly test: Predicate | undefined;
  readonly model: Submodel;
}

/** The evaluator of a MiningModel. */
export function compileMining(element: Element, scope: Scope): Evaluator {
  const segmentation = element.child('Segmentation');
  const method = methodOf(segmentation);
  const rule = missingRule(segmentation);
  if (rule.treatment !== 'continue' && (method === 'multiModelChain' || method === 'selectAll')) {
    segmentation.refuse(`missingPredictionTreatment does not go with ${method}`);
  }
  const segments = segmentation.all('Segment').map((each, at) => {
    const segment = compileSegment(each, String(at + 1), scope);
    publish(segment.model, method, scope);
    return segment;
  });
  if (segments.length === 0) segmentation.refuse('it has no Segment');
  return withSegments(scope, evaluatorOf(segmentation, method, segments, rule, scope));
}

function methodOf(segmentation: Element): Method {
  const named = segmentation.required('multipleModelMethod');
  // Writers for PMML 4.3 and before give the methods of 4.4 with this prefix.
  const name = named.startsWith('x-') ? named.slice(2) : named;
  const known: readonly Method[] = [...chains, ...ensembleMethods];
  return (
    known.find((each) => each === name) ??
    segmentation.refuse(`multipleModelMethod="${named}" is not supported`)
  );
}

function missingRule(segmentation: Element): MissingRule {
  const treatments = ['continue', 'skipSegment', 'returnMissing'] as const;
  const own = segmentation.choice('missingPredictionTreatment', treatments, 'continue');
  const treatment = segmentation.choice('x-missingPredictionTreatment', treatments, own);
  const threshold =
    segmentation.optionalNumber('missingThreshold') ??
    segmentation.optionalNumber('x-missingThreshold') ??
    1;
  return { treatment, threshold };
}

function compileSegment(element: Element, position: string, scope: Scope): Segment {
  const predicate = element.child(...predicateElements);
  const test = scope.predicate(predicate);
  const [model, other] = element
    .everyChild()
    .filter((child) => !predicateElements.includes(child.name));
  if (model === undefined) return element.refuse('it has no model');
  if (other !== undefined) other.refuse('the element is not supported here');
  return {
    id: element.optional('id') ?? position,
    weight: element.optionalNumber('weight') ?? 1,
    test: predicate.name === 'True' ? undefined : test,
    model: scope.model(model),
  };
}

// Which results of a segment the segments after it and callers see.
function publish({ results }: Submodel, method: Method, scope: Scope): void {
  const outputs = results.filter(({ isTarget }) => !isTarget);
  switch (method) {
    case 'modelChain':
      scope.expose(outputs, 'models and callers');
      return;
    case 'multiModelChain':
      scope.expose(results, 'models and callers');
      return;
    case 'selectFirst':
      scope.expose(outputs, 'callers');
      return;
    case 'selectAll':
      scope.expose(
        results.map((result) => ({ ...result, isMany: true })),
        'callers',
      );
      return;
    default:
      // What single segments of an ensemble say is nobody's business.
      return;
  }
}

type Evaluated = (row: Row, note: (segment: Segment, prediction: Prediction) => void) => Prediction;

const noNote = (): void => undefined;

// The predictions of single segments are kept only where an output asks for one.
function withSegments(scope: Scope, evaluate: Evaluated): Evaluator {
  if (!scope.wantsSegments) return (row) => evaluate(row, noNote);
  return (row) => {
    const segments = new Map<string, Prediction>();
    const prediction = evaluate(row, ({ id }, one) => void segments.set(id, one));
    return { ...prediction, segments };
  };
}

function evaluatorOf(
  segmentation: Element,
  method: Method,
  segments: readonly Segment[],
  rule: MissingRule,
  scope: Scope,
): Evaluated {
  switch (method) {
    case 'modelChain':
      return (row, note) => chain(segments, rule, row, note);
    case 'multiModelChain':
    case 'selectAll':
      // Callers see what the segments themselves say.
      return (row, note) => {
        chain(segments, rule, row, note);
        return noPrediction;
      };
    case 'selectFirst':
      return (row, note) => selectFirst(segments, rule, row, note);
    default:
      return scope.functionName === 'regression'
        ? ensembleOfNumbers(segmentation, method, segments, rule, scope)
        : ensemble(segmentation, method, segments, rule, scope);
  }
}

function chain(
  segments: readonly Segment[],
  { treatment }: MissingRule,
  row: Row,
  note: (segment: Segment, prediction: Prediction) => void,
): Prediction {
  let last = noPrediction;
  for (const segment of segments) {
    if (segment.test !== undefined && segment.test(row) !== true) continue;
    const prediction = segment.model.evaluate(row);
    note(segment, prediction);
    if (prediction.value === undefined && treatment === 'returnMissing') return noPrediction;
    if (prediction.value === undefined && treatment === 'skipSegment') continue;
    last = prediction;
  }
  return last;
}

function selectFirst(
  segments: readonly Segment[],
  rule: MissingRule,
  row: Row,
  note: (segment: Segment, prediction: Prediction) => void,
): Prediction {
  for (const segment of segments) {
    if (segment.test !== undefined && segment.test(row) !== true) continue;
    const prediction = segment.model.evaluate(row);
    note(segment, prediction);
    if (prediction.value === undefined && rule.treatment === 'skipSegment') continue;
    return { ...prediction, entityId: segment.id };
  }
  return noPrediction;
}

function ensemble(
  segmentation: Element,
  method: EnsembleMethod,
  segments: readonly Segment[],
  rule: MissingRule,
  scope: Scope,
): Evaluated {
  const combine = combinationOf(segmentation, method, scope);
  const isMean = method === 'average' || method === 'weightedAverage';
  const fast = isMean ? meanOfShares(segments, method === 'weightedAverage', rule) : undefined;
  if (fast !== undefined && !scope.wantsSegments) return fast;
  const { treatment, threshold } = rule;
  const count = segments.length;
  // Filled anew for every row: nothing of a row outlives its evaluation, which waits for nothing.
  const predictions: Prediction[] = [];
  const weights: number[] = [];
  return (row, note) => {
    predictions.length = 0;
    weights.length = 0;
    let missing = 0;
    let total = 0;
    for (let at = 0; at < count; at += 1) {
      const segment = segments[at];
      if (segment === undefined) break;
      if (segment.test !== undefined && segment.test(row) !== true) continue;
      const prediction = segment.model.evaluate(row);
      note(segment, prediction);
      total += segment.weight;
      if (prediction.value === undefined) {
        if (treatment === 'returnMissing') return noPrediction;
        missing += segment.weight;
        if (treatment === 'skipSegment') continue;
      }
      predictions.push(prediction);
      weights.push(segment.weight);
    }
    if (missing > 0 && missing / total > threshold) return noPrediction;
    return predictions.length === 0 ? noPrediction : combine(predictions, weights);
  };
}

// The means of probabilities, where all segments are trees over the same categories, without an
// object for each of them. Undefined where they are not, or where some may be left out.
function meanOfShares(
  segments: readonly Segment[],
  isWeighted: boolean,
  { treatment }: MissingRule,
): ((row: Row) => Prediction) | undefined {
  const all = segments.map(({ model }) => model.evaluate.shares);
  const names = all[0]?.names;
  if (names === undefined || treatment === 'skipSegment') return undefined;
  const parts: Shares[] = [];
  for (const shares of all) if (shares?.names === names) parts.push(shares);
  if (parts.length < all.length || segments.some(({ test }) => test !== undefined))
    return undefined;
  const weights = segments.map(({ weight }) => (isWeighted ? weight : 1));
  const total = weights.reduce((sum, each) => sum + each, 0);
  return (row) => {
    const sums = new Array<number>(names.length).fill(0);
    for (let at = 0; at < parts.length; at += 1) {
      if (parts[at]?.add(row, weights[at] ?? 0, sums) !== true) return noPrediction;
    }
    return mostProbable({ names, numbers: sums.map((sum) => sum / total) });
  };
}

// As above, for numbers: forests are made of models that give theirs without an object around it.
// One that is missing leaves the whole unknown, unless segments without one are left out.
function ensembleOfNumbers(
  segmentation: Element,
  method: EnsembleMethod,
  segments: readonly Segment[],
  { treatment, threshold }: MissingRule,
  scope: Scope,
): Evaluated {
  const combine = numberCombinationOf(segmentation, method, scope.isFloat);
  const count = segments.length;
  const numbers: number[] = [];
  const weights: number[] = [];
  return (row, note) => {
    numbers.length = 0;
    weights.length = 0;
    let missing = 0;
    let total = 0;
    for (let at = 0; at < count; at += 1) {
      const segment = segments[at];
      if (segment === undefined) break;
      if (segment.test !== undefined && segment.test(row) !== true) continue;
      total += segment.weight;
      const value = numberOf(segment, row, note);
      if (Number.isNaN(value)) {
        if (treatment !== 'skipSegment') return noPrediction;
        missing += segment.weight;
        continue;
      }
      numbers.push(value);
      weights.push(segment.weight);
    }
    if (missing > 0 && missing / total > threshold) return noPrediction;
    return numbers.length === 0 ? noPrediction : { value: combine(numbers, weights) };
  };
}

function numberOf(
  segment: Segment,
  row: Row,
  note: (segment: Segment, prediction: Prediction) => void,
): number {
  const { evaluate } = segment.model;
  if (evaluate.score !== undefined && note === noNote) return evaluate.score(row);
  const prediction = evaluate(row);
  note(segment, prediction);
  return typeof prediction.value === 'number' ? prediction.value : Number.NaN;
}
