// Cox regression: the cumulative hazard up to a time, from a table for a reference case and what
// sets the row apart from it.

import type { Element } from './element.ts';
import type { Design } from './general-design.ts';
import type { Evaluator, Row, Scope } from './model.ts';
import { noPrediction } from './model.ts';

/** Hazards of the reference case by time, from the earliest on. */
interface Baseline {
  readonly times: readonly number[];
  readonly hazards: readonly number[];
  /** Nothing is known of what comes later. */
  readonly timeMax: number;
}

type FindBaseline = (row: Row) => Baseline | undefined;

/** Compiles a GeneralRegressionModel of the type CoxRegression. */
export function coxRegression(model: Element, scope: Scope, design: Design): Evaluator {
  model.ignore('startTimeVariable', 'subjectIDVariable', 'statusVariable');
  model.ignoreChildren('EventValues');
  for (const { category, where } of design.coefficients) {
    if (category !== undefined) where.refuse('targetCategory has no meaning in a Cox regression');
  }
  const time = scope.field(model.required('endTimeVariable'), model);
  const find = baselines(model, scope);
  const linear = design.linear(design.coefficients, undefined);
  const reference = design.coefficients.reduce(
    (sum, { beta, parameter }) => sum + beta * design.referencePoint(parameter),
    0,
  );
  const show = predictsSurvival(model) ? (hazard: number) => Math.exp(-hazard) : undefined;
  return (row) => {
    const until = row[time.slot];
    const baseline = find(row);
    if (typeof until !== 'number' || baseline === undefined || until > baseline.timeMax) {
      return noPrediction;
    }
    const hazard = hazardAt(baseline, until);
    const predictor = hazard === 0 ? 0 : linear(row);
    if (predictor === undefined) return noPrediction;
    const value = hazard * Math.exp(predictor - reference);
    return { value: show === undefined ? value : show(value) };
  };
}

// The hazard of the last time in the table that is not after this one; before the first, 0.
function hazardAt({ times, hazards }: Baseline, until: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= until) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : (hazards[low - 1] ?? 0);
}

function baselines(model: Element, scope: Scope): FindBaseline {
  const tables = model.child('BaseCumHazardTables');
  const name = model.optional('baselineStrataVariable');
  if (name === undefined) {
    const only = baselineOf(tables);
    return () => only;
  }
  // What holds without strata has no meaning beside them.
  tables.ignore('maxTime');
  const field = scope.field(name, model);
  const byStratum = new Map(
    tables.all('BaselineStratum').map((stratum) => {
      stratum.ignore('label');
      return [scope.parse(stratum.required('value'), field, stratum), baselineOf(stratum)];
    }),
  );
  if (byStratum.size === 0) tables.refuse('BaselineStratum is missing');
  return (row) => byStratum.get(row[field.slot]);
}

function baselineOf(element: Element): Baseline {
  const cells = element
    .all('BaselineCell')
    .map((cell) => ({
      time: cell.requiredNumber('time'),
      hazard: cell.requiredNumber('cumHazard'),
    }))
    .sort((one, other) => one.time - other.time);
  if (cells.length === 0) element.refuse('BaselineCell is missing');
  return {
    times: cells.map(({ time }) => time),
    hazards: cells.map(({ hazard }) => hazard),
    timeMax: element.requiredNumber('maxTime'),
  };
}

// The standard leaves open which of the two the predicted value is. Writers show it: they derive
// the hazard from it with ln, or the survival with exp. Without a sign it is the hazard.
function predictsSurvival(model: Element): boolean {
  const outputs = model.optionalChild('Output')?.all('OutputField') ?? [];
  const predicted = outputs
    .filter((output) => (output.optional('feature') ?? 'predictedValue') === 'predictedValue')
    .map((output) => output.required('name'));
  const isLogarithm = (apply: Element): boolean => {
    const inner = apply.all('FieldRef').map((reference) => reference.required('field'));
    if (apply.required('function') === 'ln' && inner.some((name) => predicted.includes(name))) {
      return true;
    }
    return apply.all('Apply').some(isLogarithm);
  };
  return outputs.some((output) => output.all('Apply').some(isLogarithm));
}
