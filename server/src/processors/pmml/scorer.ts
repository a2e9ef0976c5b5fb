// A whole PMML file, compiled: what it takes, what it answers, and the scoring of one row. What
// nobody read of the file while it was compiled is refused here, at the end.

import { ModelError } from '../processor.ts';
import { type CompiledModel, compileModel } from './compile.ts';
import { readDictionary } from './dictionary.ts';
import type { Element } from './element.ts';
import type { Prediction, Result, Row, Value } from './model.ts';
import { models } from './models.ts';
import type { Input, Shared } from './scope.ts';
import { answered } from './values.ts';

/** What a caller is answered for one row. */
export type Answered = Record<string, unknown>;

/** A compiled file. */
export interface Scorer {
  readonly version: string;
  readonly modelName: string | undefined;
  readonly modelElement: string;
  readonly about: string | undefined;
  readonly application: string | undefined;
  readonly functionName: string;
  readonly inputs: readonly Input[];
  /** What an answer holds, in this order, names once each. */
  readonly results: readonly Result[];
  /** Whether answers hold the probabilities of all categories too. */
  readonly hasProbabilities: boolean;
  /** Scores a row of given values by the names of inputs. Throws InvalidValue. */
  score(given: Readonly<Record<string, unknown>>): Answered;
  /** As `score`, without the forms of answers: the values of results by name. */
  values(given: Readonly<Record<string, unknown>>): Scored;
}

/** What a row was scored to, before it is written down. */
export interface Scored {
  readonly prediction: Prediction;
  value(name: string): Value;
}

/** Functions that call others twice each double the slots with every step: they end here. */
const slotsMax = 1_000_000;

/** Elements of a file that are neither models nor part of what one computes. */
const besides = ['Header', 'MiningBuildTask', 'DataDictionary', 'TransformationDictionary'];

/**
 * Compiles a file from its root element. `wanted` is the modelName of one of several models.
 * Answers the element of the chosen model too, for its verification.
 */
export function compileFile(
  root: Element,
  wanted: string | undefined,
): { readonly scorer: Scorer; readonly model: Element } {
  if (root.name !== 'PMML')
    throw new ModelError(`the file is no PMML: it begins with ${root.name}`);
  const version = root.required('version');
  if (!/^[34]\.\d/.test(version)) root.refuse(`PMML ${version} is not supported, 3.0 to 4.4 are`);
  const header = root.optionalChild('Header');
  const application = header?.optionalChild('Application');
  const about = header?.optional('description');
  const applicationName = application?.optional('name');
  header?.ignoreWhole();
  root.ignoreChildren('MiningBuildTask');
  const functions = new Map<string, Element>();
  const called = new Set<string>();
  const derived = new Map<string, Element>();
  const dictionary = readDictionary(root.child('DataDictionary'));
  const transformations = root.optionalChild('TransformationDictionary');
  for (const each of transformations?.all('DefineFunction') ?? []) {
    functions.set(each.required('name'), each);
  }
  for (const each of transformations?.all('DerivedField') ?? []) {
    derived.set(each.required('name'), each);
  }
  const element = chosenModel(root, wanted);
  let slots = 0;
  const shared: Shared = {
    dictionary,
    derived,
    models,
    compileModel,
    lists: new Map(),
    functionNamed(name) {
      called.add(name);
      return functions.get(name);
    },
    newSlot() {
      slots += 1;
      if (slots > slotsMax)
        throw new ModelError(`the model has more than ${slotsMax} values a row`);
      return slots - 1;
    },
  };
  const modelName = element.optional('modelName');
  const model = compileModel(element, shared, undefined);
  // What nothing calls computes nothing.
  for (const [name, each] of functions) if (!called.has(name)) each.ignoreWhole();
  const scoring = scoringOf(model, slots);
  const scorer: Scorer = {
    version,
    modelName,
    modelElement: element.name,
    about,
    application: applicationName,
    functionName: model.functionName,
    inputs: model.scope.inputs,
    ...scoring,
  };
  return { scorer, model: element };
}

function chosenModel(root: Element, wanted: string | undefined): Element {
  const all = root.everyChild().filter(({ name }) => !besides.includes(name));
  const fitting =
    wanted === undefined ? all : all.filter((each) => each.optional('modelName') === wanted);
  const [first, second] = fitting;
  if (first === undefined) {
    return root.refuse(wanted === undefined ? 'it has no model' : `it has no model ${wanted}`);
  }
  if (second !== undefined) {
    const names = all.map((each) => each.optional('modelName') ?? each.name).join(', ');
    root.refuse(`it has several models: name one of ${names} as "model" in model_config`);
  }
  for (const each of all) if (each !== first) each.ignoreWhole();
  return first;
}

function scoringOf(
  model: CompiledModel,
  width: number,
): Pick<Scorer, 'results' | 'hasProbabilities' | 'score' | 'values'> {
  const { inputs } = model.scope;
  const results = distinct(model.results.filter(({ isFinal }) => isFinal));
  const hasOutputs = results.some(([{ isTarget }]) => !isTarget);
  const hasProbabilities = !hasOutputs && model.functionName === 'classification';
  const firstOf = (values: readonly unknown[]): unknown =>
    values.find((value) => value !== null) ?? null;
  const evaluated = (
    given: Readonly<Record<string, unknown>>,
  ): { readonly row: Row; readonly prediction: Prediction } => {
    const row: Row = new Array<Value>(width).fill(undefined);
    for (const { field, treatment, slot } of inputs) {
      // A field may be called constructor, which every object inherits.
      const value = Object.hasOwn(given, field.name) ? given[field.name] : undefined;
      row[slot] = treatment.fromOutside(value);
    }
    return { row, prediction: model.evaluate(row) };
  };
  return {
    results: results.map(([first]) => first),
    hasProbabilities,
    score(given) {
      const { row, prediction } = evaluated(given);
      const answer: Answered = {};
      for (const alike of results) {
        const [{ name, isMany }] = alike;
        const values = alike.map(({ slot, dataType }) => answered(row[slot], dataType));
        answer[name] = isMany ? values.filter((value) => value !== null) : firstOf(values);
      }
      if (hasProbabilities) answer.probabilities = probabilitiesOf(prediction);
      return answer;
    },
    values(given) {
      const { row, prediction } = evaluated(given);
      return {
        prediction,
        value: (name) => {
          const alike = results.find(([each]) => each.name === name);
          return alike?.map(({ slot }) => row[slot]).find((value) => value !== undefined);
        },
      };
    },
  };
}

/** The results by name: several segments may have one of the same name. */
function distinct(results: readonly Result[]): readonly (readonly [Result, ...Result[]])[] {
  const byName = new Map<string, [Result, ...Result[]]>();
  for (const result of results) {
    const known = byName.get(result.name);
    if (known === undefined) byName.set(result.name, [result]);
    // The target of a model and that of the segment which decided are one.
    else if (result.isMany || known[0].isTarget === result.isTarget) known.push(result);
  }
  return [...byName.values()];
}

function probabilitiesOf({ probabilities }: Prediction): Record<string, number> | null {
  if (probabilities === undefined) return null;
  const { names, numbers } = probabilities;
  return Object.fromEntries(names.map((name, at) => [String(name), numbers[at] ?? 0]));
}
