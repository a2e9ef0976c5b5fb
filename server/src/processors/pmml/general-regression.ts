// General regression: linear and generalized linear models, multinomial and ordinal logistic
// regression, Cox regression. All share a design (general-design.ts) and differ in what they make
// of its sums.

import { coxRegression } from './cox-regression.ts';
import type { Element } from './element.ts';
import { type Coefficient, type Design, designOf, type Linear } from './general-design.ts';
import { cumulativeLinkOf, linkOf } from './general-links.ts';
import type { Compile, Evaluator, MiningFunction, Row, Scope, Value } from './model.ts';
import { noPrediction } from './model.ts';
import { mostProbable } from './winner.ts';

const modelTypes = [
  'regression',
  'generalLinear',
  'multinomialLogistic',
  'ordinalMultinomial',
  'generalizedLinear',
  'CoxRegression',
] as const;

/** Compiles a GeneralRegressionModel. */
export const compileGeneralRegression: Compile = (element, scope) => {
  element.ignore('algorithmName', 'targetVariableName', 'distribution', 'modelDF');
  const type = element.choice('modelType', modelTypes);
  const design = designOf(element, scope);
  switch (type) {
    case 'regression':
    case 'generalLinear':
      expectFunction(element, scope, 'regression');
      return linearModel(design);
    case 'generalizedLinear':
      return scope.functionName === 'classification'
        ? binaryModel(element, scope, design)
        : generalizedModel(element, scope, design);
    case 'multinomialLogistic':
      expectFunction(element, scope, 'classification');
      return multinomialModel(element, scope, design);
    case 'ordinalMultinomial':
      expectFunction(element, scope, 'classification');
      return ordinalModel(element, scope, design);
    case 'CoxRegression':
      expectFunction(element, scope, 'regression');
      return coxRegression(element, scope, design);
  }
};

function expectFunction(element: Element, scope: Scope, name: MiningFunction): void {
  if (scope.functionName !== name) {
    element.refuse(`this modelType for ${scope.functionName} is not supported`);
  }
}

function linearModel(design: Design): Evaluator {
  const linear = design.linear(withoutCategory(design), undefined);
  return (row) => {
    const value = linear(row);
    return value === undefined ? noPrediction : { value };
  };
}

function generalizedModel(element: Element, scope: Scope, design: Design): Evaluator {
  expectFunction(element, scope, 'regression');
  const linear = design.linear(withoutCategory(design), undefined);
  const offset = numberOf(element, scope, 'offset', 0);
  const trials = numberOf(element, scope, 'trials', 1);
  const link = linkOf(element);
  ignoreDistParameter(element);
  return (row) => {
    const sum = plus(linear(row), offset(row));
    const times = trials(row);
    if (sum === undefined || times === undefined) return noPrediction;
    return { value: times * link(sum) };
  };
}

/** Two categories: the link gives the probability of one, and the rest is the other's. */
function binaryModel(element: Element, scope: Scope, design: Design): Evaluator {
  const { names, reference, groups } = categoriesOf(element, scope, design);
  if (names.length !== 2) {
    return element.refuse('generalizedLinear for more than two categories is not supported');
  }
  const [group] = groups;
  if (group === undefined) return element.refuse('PCell is missing');
  const linear = design.linear(group.coefficients, group.text);
  const offset = numberOf(element, scope, 'offset', 0);
  const link = linkOf(element);
  ignoreDistParameter(element);
  const isFirst = reference !== names[0];
  return (row) => {
    const sum = plus(linear(row), offset(row));
    if (sum === undefined) return noPrediction;
    const share = link(sum);
    return mostProbable(names, isFirst ? [share, 1 - share] : [1 - share, share]);
  };
}

function multinomialModel(element: Element, scope: Scope, design: Design): Evaluator {
  const { names, groups } = categoriesOf(element, scope, design);
  const linears = groups.map(({ name, text, coefficients }) => ({
    place: names.indexOf(name),
    linear: design.linear(coefficients, text),
  }));
  return (row) => {
    // The category without parameters has the predictor 0.
    const sums = new Float64Array(names.length);
    for (const { place, linear } of linears) {
      const sum = linear(row);
      if (sum === undefined) return noPrediction;
      sums[place] = sum;
    }
    const most = sums.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
    const shares = sums.map((sum) => Math.exp(sum - most));
    const total = shares.reduce((one, other) => one + other, 0);
    return mostProbable(
      names,
      shares.map((share) => share / total),
    );
  };
}

// Three categories, the links of the first two are 0.3 and 0.8: the categories have 0.3, 0.5, 0.2.
function ordinalModel(element: Element, scope: Scope, design: Design): Evaluator {
  const names = scope.target.categories;
  const last = names.at(-1);
  if (names.length < 2) element.refuse('the target must declare its values in their order');
  const reference = element.optional('targetReferenceCategory');
  if (reference !== undefined && scope.parse(reference, scope.target, element) !== last) {
    element.refuse('a targetReferenceCategory that is not the last one is not supported');
  }
  const common = design.coefficients.filter(({ category }) => category === undefined);
  const groups = grouped(element, scope, design);
  if (groups.some(({ name }) => name === last)) {
    element.refuse('the last category of an ordinal target cannot have parameters of its own');
  }
  for (const { name, coefficients } of groups) {
    if (!names.includes(name)) coefficients[0]?.where.refuse(`${name} is no value of the target`);
  }
  const linears = names.slice(0, -1).map((category): Linear => {
    const group = groups.find(({ name }) => name === category);
    if (group === undefined) return element.refuse(`there is no PCell for ${category}`);
    return design.linear([...group.coefficients, ...common], group.text);
  });
  const offset = numberOf(element, scope, 'offset', 0);
  const link = cumulativeLinkOf(element);
  return (row) => {
    const shares = new Float64Array(names.length);
    let before = 0;
    for (const [at, linear] of linears.entries()) {
      const sum = plus(linear(row), offset(row));
      if (sum === undefined) return noPrediction;
      const upTo = link(sum);
      shares[at] = upTo - before;
      before = upTo;
    }
    shares[names.length - 1] = 1 - before;
    return mostProbable(names, shares);
  };
}

/** The coefficients of a category. */
interface Group {
  readonly name: Value;
  /** As the file has it, for cells of PPMatrix. */
  readonly text: string | undefined;
  readonly coefficients: readonly Coefficient[];
}

interface Categories {
  readonly names: readonly Value[];
  readonly reference: Value;
  /** Of all categories but the reference. */
  readonly groups: readonly Group[];
}

function categoriesOf(element: Element, scope: Scope, design: Design): Categories {
  const declared = scope.target.categories;
  const groups = grouped(element, scope, design);
  const text = element.optional('targetReferenceCategory');
  const given = text === undefined ? undefined : scope.parse(text, scope.target, element);
  const others = declared.filter((each) => !groups.some(({ name }) => name === each));
  const reference = given ?? (others.length === 1 ? others[0] : undefined);
  if (reference === undefined) {
    return element.refuse('it is not clear which category is the reference');
  }
  const names = declared.length > 0 ? declared : [...groups.map(({ name }) => name), reference];
  const common = design.coefficients.filter(({ category }) => category === undefined);
  const [first] = common;
  if (first !== undefined) {
    const name = names.find((each) => each !== reference);
    if (names.length !== 2 || groups.length > 0) first.where.refuse('targetCategory is missing');
    return { names, reference, groups: [{ name, text: undefined, coefficients: common }] };
  }
  for (const name of names) {
    const isReference = name === reference;
    if (groups.some((group) => group.name === name) !== isReference) continue;
    element.refuse(
      isReference ? `the reference ${name} has parameters` : `there is no PCell for ${name}`,
    );
  }
  for (const { name, coefficients } of groups) {
    if (!names.includes(name)) coefficients[0]?.where.refuse(`${name} is no value of the target`);
  }
  return { names, reference, groups };
}

/** The coefficients that are for one category, by category in the order of the file. */
function grouped(element: Element, scope: Scope, design: Design): readonly Group[] {
  const texts = new Set<string>();
  for (const { category } of design.coefficients) {
    if (category !== undefined) texts.add(category);
  }
  return [...texts].map((text) => ({
    name: scope.parse(text, scope.target, element),
    text,
    coefficients: design.coefficients.filter(({ category }) => category === text),
  }));
}

function withoutCategory(design: Design): readonly Coefficient[] {
  for (const { category, where } of design.coefficients) {
    if (category !== undefined) where.refuse('targetCategory has no meaning in a regression');
  }
  return design.coefficients;
}

/** Of `offsetVariable` or `offsetValue`, and likewise of trials. */
function numberOf(
  element: Element,
  scope: Scope,
  what: 'offset' | 'trials',
  otherwise: number,
): (row: Row) => number | undefined {
  const name = element.optional(`${what}Variable`);
  const fixed = element.optionalNumber(`${what}Value`);
  if (name === undefined) return () => fixed ?? otherwise;
  if (fixed !== undefined) element.refuse(`${what}Variable and ${what}Value exclude each other`);
  const { slot } = scope.field(name, element);
  return (row) => {
    const value = row[slot];
    return typeof value === 'number' ? value : undefined;
  };
}

function plus(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}

/** Of a distribution, not of the link: it says how far values scatter, not where they lie. */
function ignoreDistParameter(element: Element): void {
  element.ignore('distParameter');
}
