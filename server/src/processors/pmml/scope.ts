// The fields that one model may use and how they come into a row: inputs through its mining
// schema, derived fields by formulas, results of other segments. Every field has a slot of its own
// in the row; a field of the outer model that is used as it is shares the slot. Derived fields are
// compiled when something refers to them, each after what it refers to itself.

import { type DataField, readValues } from './dictionary.ts';
import type { Element } from './element.ts';
import {
  type CompiledExpression,
  type Context,
  type Operand,
  typeIn,
  valueIn,
} from './expression.ts';
import { expressionElements } from './expression-names.ts';
import { compileExpression } from './expressions.ts';
import { converted } from './invalid.ts';
import type {
  Compile,
  DataType,
  Expression,
  Field,
  MiningFunction,
  Predicate,
  Result,
  Row,
  Scope,
  Submodel,
  Target,
  Value,
} from './model.ts';
import { compilePredicate } from './predicates.ts';
import { opTypeIn, readTreatment, type Treatment } from './treatment.ts';
import { opTypeOf } from './values.ts';

/** What all models of a file share. */
export interface Shared {
  readonly dictionary: ReadonlyMap<string, DataField>;
  /** The DefineFunction of a name; undefined if there is none. */
  functionNamed(name: string): Element | undefined;
  /** The derived fields of the TransformationDictionary. */
  readonly derived: ReadonlyMap<string, Element>;
  readonly models: ReadonlyMap<string, Compile>;
  compileModel(element: Element, shared: Shared, outer: ModelScope): Submodel;
  newSlot(): number;
  /** Lists of names by what is in them. */
  readonly lists: Map<string, readonly Value[]>;
}

/** A field that callers give. */
export interface Input {
  readonly field: DataField;
  readonly treatment: Treatment;
  readonly slot: number;
}

interface ScopeField extends Field, Operand {}

export class ModelScope implements Scope, Context {
  readonly functionName: MiningFunction;
  readonly isFloat: boolean;
  readonly wantsSegments: boolean;
  readonly callers: readonly string[] = [];
  /** What prepares a row for this model, in this order. */
  readonly steps: ((row: Row) => void)[] = [];
  /** What callers give; of the outermost model only. */
  readonly inputs: Input[] = [];
  /** Results of models inside that callers see. */
  readonly shown: Result[] = [];
  target: Target = {
    name: undefined,
    dataType: 'double',
    opType: 'continuous',
    categories: [],
    displayValues: new Map(),
  };
  readonly #shared: Shared;
  readonly #outer: ModelScope | undefined;
  readonly #fields = new Map<string, ScopeField>();
  readonly #derived: Map<string, Element>;
  readonly #beingDerived = new Set<string>();
  readonly #exposed = new Map<string, ScopeField>();

  constructor(options: {
    readonly shared: Shared;
    readonly outer: ModelScope | undefined;
    readonly functionName: MiningFunction;
    readonly isFloat: boolean;
    readonly wantsSegments: boolean;
  }) {
    this.#shared = options.shared;
    this.#outer = options.outer;
    this.functionName = options.functionName;
    this.isFloat = options.isFloat;
    this.wantsSegments = options.wantsSegments;
    this.#derived = new Map(options.outer === undefined ? options.shared.derived : []);
  }

  /** Adds a derived field of the model's own. */
  addDerived(element: Element): void {
    const name = element.required('name');
    if (this.#derived.has(name)) element.refuse(`there are two derived fields ${name}`);
    this.#derived.set(name, element);
  }

  /** Passes over the derived fields that nothing refers to; called when all is compiled. */
  ignoreUnused(): void {
    for (const element of this.#derived.values()) element.ignoreWhole();
  }

  /** Adds a MiningField that the model reads. */
  addMiningField(element: Element): void {
    const name = element.required('name');
    if (this.#fields.has(name)) element.refuse(`the field ${name} is there twice`);
    const data = this.#shared.dictionary.get(name);
    if (this.#outer === undefined) this.#addInput(element, name, data);
    else this.#addInner(element, name, data, this.#outer);
  }

  /** Adds a field that an OutputField computes, for the outputs after it. */
  addResult(result: Result): void {
    this.#fields.set(result.name, result);
  }

  field(name: string, where: Element): ScopeField {
    return this.#find(name) ?? where.refuse(`the model has no field ${name}`);
  }

  operand(name: string, where: Element): Operand {
    return this.field(name, where);
  }

  newSlot(): number {
    return this.#shared.newSlot();
  }

  functionNamed(name: string): Element | undefined {
    return this.#shared.functionNamed(name);
  }

  compile(element: Element, context: Context): CompiledExpression {
    return compileExpression(element, context);
  }

  expression(element: Element): Expression {
    return compileExpression(element, this);
  }

  predicate(element: Element): Predicate {
    return compilePredicate(element, this).test;
  }

  parse(text: string, of: { readonly dataType: DataType }, where: Element): Value {
    return valueIn(where, text, of.dataType);
  }

  shared(names: readonly Value[]): readonly Value[] {
    const key = JSON.stringify(names);
    const known = this.#shared.lists.get(key) ?? names;
    this.#shared.lists.set(key, known);
    return known;
  }

  model(element: Element): Submodel {
    return this.#shared.compileModel(element, this.#shared, this);
  }

  expose(results: readonly Result[], to: 'models' | 'callers' | 'models and callers'): void {
    for (const result of results) {
      if (to !== 'callers') this.#exposed.set(result.name, result);
      if (to !== 'models' && result.isFinal) this.shown.push(result);
    }
  }

  #find(name: string): ScopeField | undefined {
    const known = this.#fields.get(name);
    if (known !== undefined) return known;
    const element = this.#derived.get(name);
    if (element !== undefined) return this.#derive(name, element);
    return this.#outer?.visible(name);
  }

  /** What the models inside of this one may refer to. */
  visible(name: string): ScopeField | undefined {
    return this.#exposed.get(name) ?? this.#find(name);
  }

  #addInput(element: Element, name: string, field: DataField | undefined): void {
    // Some older files list derived fields too.
    if (field === undefined && this.#derived.has(name)) return;
    if (field === undefined) element.refuse(`the data dictionary has no field ${name}`);
    const { dataType, categories } = field;
    const treatment = readTreatment(element, name, dataType, field);
    const slot = this.newSlot();
    const opType = opTypeIn(element, field.opType);
    const isValid = field.isValid;
    this.#fields.set(name, { name, slot, dataType, opType, categories, isValid });
    this.inputs.push({ field, treatment, slot });
  }

  #addInner(element: Element, name: string, data: DataField | undefined, outer: ModelScope): void {
    const found = outer.visible(name) ?? element.refuse(`the outer model has no field ${name}`);
    const treatment = readTreatment(element, name, found.dataType, data);
    const opType = opTypeIn(element, found.opType);
    const { fromModel } = treatment;
    if (fromModel === undefined) {
      this.#fields.set(name, { ...found, name, opType });
      return;
    }
    const from = found.slot;
    const slot = this.newSlot();
    this.#fields.set(name, { ...found, name, opType, slot });
    this.steps.push((row) => {
      row[slot] = fromModel(row[from]);
    });
  }

  #derive(name: string, element: Element): ScopeField {
    if (this.#beingDerived.has(name)) element.refuse(`the derived field ${name} needs itself`);
    this.#beingDerived.add(name);
    element.ignore('displayName');
    const expression = compileExpression(element.child(...expressionElements), this);
    const dataType = typeIn(element) ?? expression.dataType;
    const opType = element.choice(
      'optype',
      ['continuous', 'categorical', 'ordinal'],
      opTypeOf(dataType),
    );
    const { categories } = readValues(element, dataType, opType);
    const field = { name, slot: this.newSlot(), dataType, opType, categories };
    this.steps.push(stepOf(field, expression));
    this.#fields.set(name, field);
    this.#derived.delete(name);
    this.#beingDerived.delete(name);
    return field;
  }
}

function stepOf(field: Field, { evaluate, dataType: from }: Expression): (row: Row) => void {
  const { name, slot, dataType } = field;
  if (from === dataType) {
    return (row) => {
      row[slot] = evaluate(row);
    };
  }
  const what = `derived field ${name}`;
  return (row) => {
    row[slot] = converted(evaluate(row), from, dataType, what);
  };
}
