// What the evaluator and the kinds of models agree on: values and rows, what a model may ask of
// the place it stands in, and what it answers. A kind of model reads its own elements only; mining
// schema, transformations, targets and outputs belong to the core, which calls it.

import type { Element } from './element.ts';

/**
 * A value of a field, prepared: numbers for the numeric types (float rounded to 32 bits), booleans
 * for boolean, milliseconds since 1970 for date and dateTime and since midnight for time, else
 * text. Undefined is a missing value. Two values of a field are the same when `===` says so.
 */
export type Value = number | string | boolean | undefined;

/** The values of one row, by the slots of fields. */
export type Row = Value[];

export type DataType =
  | 'string'
  | 'integer'
  | 'float'
  | 'double'
  | 'boolean'
  | 'date'
  | 'time'
  | 'dateTime';

export type OpType = 'continuous' | 'categorical' | 'ordinal';

export type MiningFunction = 'regression' | 'classification' | 'clustering' | 'mixed';

/** A field as a model meets it: given, derived, or the output of an earlier segment. */
export interface Field {
  readonly name: string;
  /** Where its value stands in a row. */
  readonly slot: number;
  readonly dataType: DataType;
  readonly opType: OpType;
  /** The values that are declared valid, in the order of the file; empty if any is. */
  readonly categories: readonly Value[];
}

/** What a model predicts, declared or assumed from the function of the model. */
export interface Target {
  /** Undefined where the model declares no target. */
  readonly name: string | undefined;
  readonly dataType: DataType;
  readonly opType: OpType;
  readonly categories: readonly Value[];
  /** What people call some of the categories. */
  readonly displayValues: ReadonlyMap<Value, string>;
}

/** A formula over the fields of a row. */
export interface Expression {
  readonly dataType: DataType;
  readonly opType: OpType;
  evaluate(row: Row): Value;
}

/** What a predicate says of a row; undefined where a missing value leaves it unknown. */
export type Predicate = (row: Row) => boolean | undefined;

/** Where a model stands: what it may ask for while it is compiled. */
export interface Scope {
  readonly functionName: MiningFunction;
  readonly target: Target;
  /** Whether sums are to be rounded to 32 bits after each step (x-mathContext="float"). */
  readonly isFloat: boolean;
  /** A field that this model may use; one that it may not is refused at `where`. */
  field(name: string, where: Element): Field;
  /** Compiles an element that is an expression (Constant, FieldRef, Apply ...). */
  expression(element: Element): Expression;
  /** Compiles an element that is a predicate (SimplePredicate, True, CompoundPredicate ...). */
  predicate(element: Element): Predicate;
  /** Whether an output asks for what a single segment predicted: Prediction.segments. */
  readonly wantsSegments: boolean;
  /** Compiles a model that stands inside of this one. */
  model(element: Element): Submodel;
  /** Lets the models after this one use results of a model inside, and callers see them or not. */
  expose(results: readonly Result[], to: 'models' | 'callers' | 'models and callers'): void;
  /** The same list for the same values: distributions with the same one are added up quickly. */
  shared(names: readonly Value[]): readonly Value[];
  /** The value that a text of the file stands for as a value of this field or target. */
  parse(text: string, of: { readonly dataType: DataType }, where: Element): Value;
}

/** A value that a model writes into rows beside its prediction: its target or an output. */
export interface Result {
  readonly name: string;
  readonly slot: number;
  readonly dataType: DataType;
  readonly opType: OpType;
  readonly categories: readonly Value[];
  /** Whether it is the target itself and no output. */
  readonly isTarget: boolean;
  /** Whether callers are to see it. */
  readonly isFinal: boolean;
  /** Whether several segments may each have one: callers see a list. */
  readonly isMany: boolean;
  /** What the file says of it to people. */
  readonly about: string | undefined;
}

/** A model inside of another one. */
export interface Submodel {
  readonly functionName: MiningFunction;
  readonly target: Target;
  /** Everything that this model and those in it let be seen. */
  readonly results: readonly Result[];
  readonly evaluate: Evaluator;
}

/** Numbers by category or entity. The names are shared by all predictions of a model. */
export interface Distribution {
  readonly names: readonly Value[];
  readonly numbers: ArrayLike<number>;
}

/** What a model says of a row. Never changed once given: leaves of trees answer the same one. */
export interface Prediction {
  /** Of the target; undefined if there is no prediction. */
  readonly value: Value;
  readonly probabilities?: Distribution;
  readonly confidences?: Distribution;
  /** Distance or similarity by the id of an entity (cluster). */
  readonly affinities?: Distribution;
  /** Whether the best affinity is the smallest; else it is the largest. */
  readonly isNearest?: boolean;
  /** The node, cluster, rule or segment that decided. */
  readonly entityId?: string;
  /** What the entity is called for people, for example the name of a cluster. */
  readonly displayValue?: string;
  /** The most important first. */
  readonly reasonCodes?: readonly string[];
  /** The predictions of segments by their ids, for outputs that ask for one of them. */
  readonly segments?: ReadonlyMap<string, Prediction>;
}

export const noPrediction: Prediction = { value: undefined };

/** Predicts from a row whose fields are prepared. */
export interface Evaluator {
  (row: Row): Prediction;
  /** The predicted number alone, NaN for none: of models that ensembles are made of. */
  readonly score?: (row: Row) => number;
  /** Adds the probabilities alone, where all that it predicts have the same names. */
  readonly shares?: Shares;
}

export interface Shares {
  readonly names: readonly Value[];
  /** Adds the weighted probability of each name to `sums`; false if nothing is predicted. */
  add(row: Row, weight: number, sums: number[]): boolean;
}

/** Makes an evaluator of a model's element; throws a ModelError for what it cannot do. */
export type Compile = (element: Element, scope: Scope) => Evaluator;
