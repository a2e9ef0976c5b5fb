// A tree as a table of numbers, 16 bytes a node, in the order of a walk that goes to the first
// child first. A forest has more nodes than a cache has room for as objects; here the next node is
// mostly beside the last one.

import type { Predicate, Prediction, Row } from './model.ts';
import type { CompiledPredicate, Operator } from './predicates.ts';
import {
  codeMask,
  custom,
  leafBit,
  placeShift,
  type SplitTable,
  splitTable,
} from './tree-splits.ts';

const codes: Readonly<Record<Operator, number>> = {
  lessOrEqual: 0,
  greaterThan: 1,
  lessThan: 2,
  greaterOrEqual: 3,
  equal: 4,
  notEqual: 5,
  // These are never comparisons with a number.
  isMissing: 6,
  isNotMissing: 6,
};

/** What a test answers. */
export const yes = 1;
export const no = 0;
export const unknown = -1;

/** A tree while it is read: nodes are added parents first, children in their order. */
export class TreeBuilder {
  readonly #thresholds: number[] = [];
  readonly #words: number[] = [];
  readonly #next: number[] = [];
  readonly #tests: Predicate[] = [];
  readonly #predictions: Prediction[] = [];
  #fitsAll = false;

  /** Adds a node; answers its number. */
  add({ test, number, isTrue }: CompiledPredicate, prediction: Prediction): number {
    const at = this.#words.length;
    if (at === 0) this.#fitsAll = isTrue === true;
    const code = number === undefined ? custom : codes[number.operator];
    const place = number === undefined ? this.#tests.push(test) - 1 : number.slot;
    this.#words.push((place << placeShift) | leafBit | code);
    this.#thresholds.push(number?.threshold ?? 0);
    this.#next.push(0);
    this.#predictions.push(prediction);
    return at;
  }

  /** Says which nodes, all added by now, are the children of a node. */
  setChildren(at: number, children: readonly number[]): void {
    if (children.length === 0) return;
    this.#words[at] = (this.#words[at] ?? 0) & ~leafBit;
    for (const [place, child] of children.entries()) {
      this.#next[child] = children[place + 1] ?? 0;
    }
  }

  /** What the splits of a tree are made of; undefined if some node is no split of two. */
  splits(defaults: readonly number[]): SplitTable | undefined {
    return splitTable({
      words: this.#words,
      thresholds: this.#thresholds,
      next: this.#next,
      fitsAll: this.#fitsAll,
      predictions: this.#predictions,
      defaults,
    });
  }

  build(): TreeTable {
    const count = this.#words.length;
    const thresholds = new Float64Array(count * 2);
    const words = new Int32Array(thresholds.buffer);
    for (let at = 0; at < count; at += 1) {
      thresholds[at * 2] = this.#thresholds[at] ?? 0;
      words[at * 4 + 2] = this.#words[at] ?? 0;
      words[at * 4 + 3] = this.#next[at] ?? 0;
    }
    return new TreeTable(thresholds, words, this.#tests, this.#predictions);
  }
}

/** A tree. Nodes are numbers, the root is 0, the first child of a node is the next number. */
export class TreeTable {
  readonly #thresholds: Float64Array;
  /** The same memory: at 2 what is tested and how, at 3 the next sibling or 0. */
  readonly #words: Int32Array;
  readonly #tests: readonly Predicate[];
  readonly #predictions: readonly Prediction[];

  constructor(
    thresholds: Float64Array,
    words: Int32Array,
    tests: readonly Predicate[],
    predictions: readonly Prediction[],
  ) {
    this.#thresholds = thresholds;
    this.#words = words;
    this.#tests = tests;
    this.#predictions = predictions;
  }

  isLeaf(at: number): boolean {
    return ((this.#words[at * 4 + 2] ?? 0) & leafBit) !== 0;
  }

  /** The next child of the same parent; 0 if there is none. */
  sibling(at: number): number {
    return this.#words[at * 4 + 3] ?? 0;
  }

  /** What is predicted if a walk ends at this node. */
  prediction(at: number): Prediction | undefined {
    return this.#predictions[at];
  }

  /** `yes`, `no` or `unknown`. */
  test(at: number, row: Row): number {
    const word = this.#words[at * 4 + 2] ?? 0;
    const code = word & codeMask;
    if (code === custom) return answerOf(this.#tests[word >> placeShift], row);
    const x = row[word >> placeShift];
    if (typeof x !== 'number') return unknown;
    const threshold = this.#thresholds[at * 2] ?? 0;
    switch (code) {
      case 0:
        return x <= threshold ? yes : no;
      case 1:
        return x > threshold ? yes : no;
      case 2:
        return x < threshold ? yes : no;
      case 3:
        return x >= threshold ? yes : no;
      case 4:
        return x === threshold ? yes : no;
      default:
        return x !== threshold ? yes : no;
    }
  }
}

function answerOf(test: Predicate | undefined, row: Row): number {
  const value = test?.(row);
  return value === undefined ? unknown : value ? yes : no;
}
