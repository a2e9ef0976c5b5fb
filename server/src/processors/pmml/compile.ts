// One model of a file, compiled: what every kind of model has (mining schema, derived fields,
// targets, outputs) around what only its kind has.

import type { Element } from './element.ts';
import {
  type Evaluator,
  type MiningFunction,
  noPrediction,
  type Result,
  type Row,
  type Submodel,
  type Target,
} from './model.ts';
import { type CompiledOutput, compileOutputs } from './outputs.ts';
import { ModelScope, type Shared } from './scope.ts';
import { targetDisplayValues, withTargets } from './targets.ts';

const functions: readonly MiningFunction[] = [
  'regression',
  'classification',
  'clustering',
  'mixed',
];

/** A compiled model; the outermost one with the scope that says what callers have to give. */
export interface CompiledModel extends Submodel {
  readonly scope: ModelScope;
}

/** Compiles a model's element; throws a ModelError for what it cannot do. */
export function compileModel(
  element: Element,
  shared: Shared,
  outer: ModelScope | undefined,
): CompiledModel {
  const compile = shared.models.get(element.name);
  if (compile === undefined) return element.refuse('models of this kind are not supported');
  const functionName = element.choice('functionName', functions);
  element.ignore('modelName', 'algorithmName');
  element.ignoreChildren('ModelStats', 'ModelExplanation');
  // Those of models inside would need rows of the outer one.
  if (outer !== undefined) element.ignoreChildren('ModelVerification');
  if (!element.flag('isScorable', true)) element.refuse('the model says that it is not scorable');
  const output = element.optionalChild('Output');
  const scope = new ModelScope({
    shared,
    outer,
    functionName,
    isFloat: readMath(element) === 'float',
    wantsSegments: (output?.all('OutputField') ?? []).some(
      (field) => field.optional('segmentId') !== undefined,
    ),
  });
  const declared = readSchema(element, scope, shared);
  const target = targetOf(element, declared, functionName, outer);
  const targets = element.optionalChild('Targets');
  scope.target = { ...target, displayValues: targetDisplayValues(targets, target) };
  for (const derived of element.optionalChild('LocalTransformations')?.all('DerivedField') ?? []) {
    scope.addDerived(derived);
  }
  const core = withTargets(targets, scope.target, scope.isFloat, compile(element, scope));
  const results = ownResult(scope, declared.length > 0, outer);
  const outputs = compileOutputs(output, scope, scope.target);
  scope.ignoreUnused();
  return {
    scope,
    functionName,
    target: scope.target,
    results: [...results, ...outputs.map(({ result }) => result), ...scope.shown],
    evaluate: composed(scope, core, results[0]?.slot, outputs),
  };
}

function readMath(element: Element): 'double' | 'float' {
  return element.choice('x-mathContext', ['double', 'float'], 'double');
}

// Answers the targets; everything else is put into the scope.
function readSchema(element: Element, scope: ModelScope, shared: Shared): readonly Target[] {
  const targets: Target[] = [];
  for (const field of element.child('MiningSchema').all('MiningField')) {
    field.ignore('importance');
    const usage = field.choice(
      'usageType',
      ['active', 'target', 'predicted', 'supplementary', 'frequencyWeight', 'analysisWeight'],
      'active',
    );
    if (usage === 'active') {
      scope.addMiningField(field);
      continue;
    }
    // Nothing is computed from these: how their values are treated does not matter.
    field.ignoreWhole();
    if (usage === 'target' || usage === 'predicted') {
      const name = field.required('name');
      const data = shared.dictionary.get(name);
      targets.push({
        name,
        dataType: data?.dataType ?? (scope.functionName === 'regression' ? 'double' : 'string'),
        opType:
          data?.opType ?? (scope.functionName === 'regression' ? 'continuous' : 'categorical'),
        categories: data?.categories ?? [],
        displayValues: data?.displayValues ?? new Map(),
      });
    }
  }
  return targets;
}

function targetOf(
  element: Element,
  declared: readonly Target[],
  functionName: MiningFunction,
  outer: ModelScope | undefined,
): Target {
  const [first, second] = declared;
  const named = element.optional('targetFieldName') ?? element.optional('targetVariableName');
  const chosen = declared.find(({ name }) => name === named);
  if (chosen !== undefined) return chosen;
  if (second !== undefined && element.name !== 'MiningModel') {
    element.refuse('models with several targets are not supported');
  }
  if (first !== undefined && second === undefined) return first;
  // Segments that vote need not say what for.
  if (outer?.functionName === functionName && second === undefined) {
    return { ...outer.target, name: undefined };
  }
  const isNumber = functionName === 'regression';
  return {
    name: undefined,
    dataType: isNumber ? 'double' : 'string',
    opType: isNumber ? 'continuous' : 'categorical',
    categories: [],
    displayValues: new Map(),
  };
}

// The target's own slot: for callers to see, if it is the outermost model or says its target.
function ownResult(
  scope: ModelScope,
  isDeclared: boolean,
  outer: ModelScope | undefined,
): readonly Result[] {
  const { name, dataType, opType, categories } = scope.target;
  if (name === undefined || !isDeclared) {
    if (outer !== undefined || scope.shown.length > 0) return [];
  }
  // Where the segments answer for themselves, they answer the target too.
  if (scope.shown.some((result) => result.isTarget && result.name === name)) return [];
  const slot = scope.newSlot();
  const about = undefined;
  const shownName = name ?? (scope.functionName === 'clustering' ? 'cluster' : 'prediction');
  const isFinal = true;
  const isMany = false;
  return [
    { name: shownName, slot, dataType, opType, categories, isTarget: true, isFinal, isMany, about },
  ];
}

// Most segments of an ensemble have nothing around them: they are called as they are.
function composed(
  scope: ModelScope,
  core: Evaluator,
  slot: number | undefined,
  outputs: readonly CompiledOutput[],
): Evaluator {
  // Formulas of outputs may have added steps of their own, which run before the model too.
  const { steps } = scope;
  if (steps.length === 0 && outputs.length === 0 && slot === undefined) return core;
  return (row: Row) => {
    for (const step of steps) step(row);
    const prediction = core(row) ?? noPrediction;
    if (slot !== undefined) row[slot] = prediction.value;
    for (const output of outputs) output.write(row, prediction);
    return prediction;
  };
}
