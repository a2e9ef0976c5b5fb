// Scorecards: each characteristic gives the points of its first attribute whose predicate holds;
// the score is their sum. Reason codes say which characteristics moved the score most against
// their baselines.

import type { Element } from './element.ts';
import type { Compile, Evaluator, Predicate, Row, Scope } from './model.ts';
import { noPrediction } from './model.ts';

const predicateNames = [
  'SimplePredicate',
  'CompoundPredicate',
  'SimpleSetPredicate',
  'True',
  'False',
] as const;

interface Attribute {
  readonly holds: Predicate;
  readonly points: (row: Row) => number | undefined;
  /** Its place in the list of codes; undefined where codes are not in use. */
  readonly reason: number | undefined;
}

interface Characteristic {
  readonly baseline: number;
  readonly attributes: readonly Attribute[];
}

/** The codes that a scorecard can give, in the order of the file. */
interface Reasons {
  readonly codes: string[];
  /** 1 if points above the baseline count, -1 if points below it do. */
  readonly sign: 1 | -1;
  readonly baseline: number | undefined;
}

/** Compiles a Scorecard. */
export const compileScorecard: Compile = (element, scope) => {
  if (scope.functionName !== 'regression') {
    element.refuse(`a scorecard for ${scope.functionName} is not supported`);
  }
  element.ignore('algorithmName', 'baselineMethod');
  const initial = element.optionalNumber('initialScore') ?? 0;
  const list = element.child('Characteristics');
  const reasons = reasonsOf(element, list);
  const characteristics = list
    .all('Characteristic')
    .map((each) => characteristic(each, scope, reasons));
  if (characteristics.length === 0) list.refuse('Characteristic is missing');
  const evaluate: Evaluator = (row) => {
    let score = initial;
    const differences = new Float64Array(reasons?.codes.length ?? 0);
    const given = new Uint8Array(differences.length);
    for (const { attributes, baseline } of characteristics) {
      const attribute = attributes.find(({ holds }) => holds(row) === true);
      const points = attribute?.points(row);
      // A characteristic that says nothing leaves the score as a whole without a value.
      if (points === undefined) return noPrediction;
      score = scope.isFloat ? Math.fround(score + points) : score + points;
      const reason = attribute?.reason;
      if (reasons === undefined || reason === undefined) continue;
      differences[reason] = (differences[reason] ?? 0) + reasons.sign * (points - baseline);
      given[reason] = 1;
    }
    if (reasons === undefined) return { value: score };
    return { value: score, reasonCodes: ranked(reasons.codes, differences, given) };
  };
  return evaluate;
};

/** Undefined if the scorecard has no use of reason codes, or gives none. */
function reasonsOf(element: Element, list: Element): Reasons | undefined {
  const algorithm = element.choice(
    'reasonCodeAlgorithm',
    ['pointsAbove', 'pointsBelow'],
    'pointsBelow',
  );
  const baseline = element.optionalNumber('baselineScore');
  const characteristics = list.all('Characteristic');
  const isUsed = element.flag('useReasonCodes', true);
  const codes = new Set<string>();
  for (const each of characteristics) {
    for (const part of [each, ...each.all('Attribute')]) {
      const code = part.optional('reasonCode');
      if (code !== undefined) codes.add(code);
    }
  }
  if (!isUsed || codes.size === 0) return undefined;
  return { codes: [...codes], sign: algorithm === 'pointsAbove' ? 1 : -1, baseline };
}

function characteristic(
  element: Element,
  scope: Scope,
  reasons: Reasons | undefined,
): Characteristic {
  element.ignore('name');
  const code = element.optional('reasonCode');
  const baseline = element.optionalNumber('baselineScore') ?? reasons?.baseline;
  if (reasons !== undefined && baseline === undefined) {
    element.refuse('baselineScore is missing here and in the Scorecard, and reason codes need it');
  }
  const attributes = element.all('Attribute').map((each): Attribute => {
    const own = each.optional('reasonCode') ?? code;
    if (reasons !== undefined && own === undefined) each.refuse('it has no reasonCode');
    return {
      holds: scope.predicate(each.child(...predicateNames)),
      points: pointsOf(each, scope),
      reason: reasons === undefined || own === undefined ? undefined : reasons.codes.indexOf(own),
    };
  });
  if (attributes.length === 0) element.refuse('Attribute is missing');
  return { baseline: baseline ?? 0, attributes };
}

function pointsOf(element: Element, scope: Scope): Attribute['points'] {
  const complex = element.optionalChild('ComplexPartialScore');
  const fixed = element.optionalNumber('partialScore');
  if (complex === undefined) {
    if (fixed === undefined) return element.refuse('partialScore is missing');
    return () => fixed;
  }
  const [expression, more] = complex.everyChild();
  if (expression === undefined || more !== undefined) {
    return complex.refuse('it must have one expression');
  }
  const compiled = scope.expression(expression);
  return (row) => {
    const value = compiled.evaluate(row);
    return typeof value === 'number' ? value : undefined;
  };
}

// A code that several characteristics gave counts with the sum of their differences. One whose sum
// is negative explains nothing; of equal ones the first in the file stays first (sort is stable).
function ranked(
  codes: readonly string[],
  differences: Float64Array,
  given: Uint8Array,
): readonly string[] {
  return codes
    .map((code, at) => ({ code, difference: differences[at] ?? 0, isGiven: given[at] === 1 }))
    .filter(({ difference, isGiven }) => isGiven && difference >= 0)
    .sort((one, other) => other.difference - one.difference)
    .map(({ code }) => code);
}
