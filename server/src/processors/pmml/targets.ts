// Targets: what becomes of a prediction before anybody sees it. Numbers are kept in bounds, scaled,
// moved and rounded, in this order; where there is no prediction, priors or a default stand in.

import type { Element } from './element.ts';
import { valueIn } from './expression.ts';
import { type Evaluator, noPrediction, type Prediction, type Target } from './model.ts';

/** The evaluator with the Targets element applied to what it predicts. */
export function withTargets(
  element: Element | undefined,
  target: Target,
  isFloat: boolean,
  evaluate: Evaluator,
): Evaluator {
  if (element === undefined) return evaluate;
  let result = evaluate;
  for (const each of element.all('Target')) {
    const name = each.optional('field');
    if (name !== undefined && target.name !== undefined && name !== target.name) {
      each.refuse(`${name} is not the target of this model`);
    }
    each.choice('optype', ['continuous', 'categorical', 'ordinal'], target.opType);
    const adjust = adjustment(each, isFloat);
    const instead = substitute(each, target);
    const inner = result;
    result = (row) => {
      const prediction = inner(row);
      const { value } = prediction;
      if (value === undefined) return instead ?? prediction;
      if (adjust === undefined || typeof value !== 'number') return prediction;
      return { ...prediction, value: adjust(value) };
    };
  }
  return result;
}

/** The names that people have for the values of the target. */
export function targetDisplayValues(
  element: Element | undefined,
  target: Target,
): Target['displayValues'] {
  const names = new Map(target.displayValues);
  for (const each of element?.all('Target') ?? []) {
    for (const value of each.all('TargetValue')) {
      const shown = value.optional('displayValue');
      const text = value.optional('value');
      if (shown === undefined || text === undefined) continue;
      names.set(valueIn(value, text, target.dataType), shown);
    }
  }
  return names;
}

function adjustment(element: Element, isFloat: boolean): ((value: number) => number) | undefined {
  const min = element.optionalNumber('min') ?? Number.NEGATIVE_INFINITY;
  const max = element.optionalNumber('max') ?? Number.POSITIVE_INFINITY;
  const factor = element.optionalNumber('rescaleFactor') ?? 1;
  const constant = element.optionalNumber('rescaleConstant') ?? 0;
  const cast = castOf(element);
  const isBounded = min !== Number.NEGATIVE_INFINITY || max !== Number.POSITIVE_INFINITY;
  if (!isBounded && factor === 1 && constant === 0 && cast === undefined) return undefined;
  const round = isFloat ? Math.fround : (value: number) => value;
  return (value) => {
    const bounded = Math.min(max, Math.max(min, value));
    const moved = round(round(bounded * factor) + constant);
    return cast === undefined ? moved : cast(moved);
  };
}

function castOf(element: Element): ((value: number) => number) | undefined {
  if (element.optional('castInteger') === undefined) return undefined;
  switch (element.choice('castInteger', ['round', 'ceiling', 'floor'])) {
    case 'round':
      return Math.round;
    case 'ceiling':
      return Math.ceil;
    case 'floor':
      return Math.floor;
  }
}

// Priors for categories, a default for numbers; undefined if the file has neither.
function substitute(element: Element, target: Target): Prediction | undefined {
  const names: Prediction['value'][] = [];
  const numbers: number[] = [];
  let standIn: Prediction | undefined;
  for (const value of element.all('TargetValue')) {
    const text = value.optional('value');
    const prior = value.optionalNumber('priorProbability');
    const number = value.optionalNumber('defaultValue');
    value.ignore('displayValue');
    if (number !== undefined) standIn = { value: number };
    if (prior === undefined || text === undefined) continue;
    names.push(valueIn(value, text, target.dataType));
    numbers.push(prior);
  }
  if (names.length === 0) return standIn;
  const best = numbers.indexOf(Math.max(...numbers));
  return { ...noPrediction, value: names[best], probabilities: { names, numbers } };
}
