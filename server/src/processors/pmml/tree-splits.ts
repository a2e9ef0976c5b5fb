// The usual tree: every inner node sends a row left or right by one number. It needs one test for
// each level instead of one for each child, and holds the score of a leaf where the others have
// their threshold. Of 500 such trees of depth 8 a row costs a third of what it costs as tables of
// single tests.

import type { Prediction, Row, Shares } from './model.ts';

/** The test is one of a list, by its place, and no comparison of a field with a number. */
export const custom = 6;
export const codeMask = 7;
export const leafBit = 8;
export const placeShift = 4;

/** The nodes of a tree as they were added, by their numbers. */
export interface Nodes {
  readonly words: readonly number[];
  readonly thresholds: readonly number[];
  /** The next child of the same parent, or 0. */
  readonly next: readonly number[];
  /** Whether the predicate of the root is True. */
  readonly fitsAll: boolean;
  readonly predictions: readonly Prediction[];
  /** The child that stands in where a value is missing, where the tree has such. */
  readonly defaults: readonly number[];
}

/** What a walk does where the value of a split is missing. */
export type MissingStep = 'stay' | 'nothing' | 'defaultChild';

// In the words of this table: the leaf bit as above, and how and where an inner node splits.
const isLess = 1;
const isDefaultLeft = 2;

/** A tree of splits. Nodes are numbers as in the tree that it was made of. */
export class SplitTable {
  /** The threshold of a split, the score of a leaf. */
  readonly #numbers: Float64Array;
  /** The same memory: at 2 the field and how it splits, at 3 the right child. */
  readonly #words: Int32Array;
  readonly #predictions: readonly Prediction[];

  constructor(numbers: Float64Array, words: Int32Array, predictions: readonly Prediction[]) {
    this.#numbers = numbers;
    this.#words = words;
    this.#predictions = predictions;
  }

  /** The node where the walk of a row ends; -1 if it ends nowhere. */
  walk(row: Row, onMissing: MissingStep, returnsLast: boolean): number {
    const words = this.#words;
    const numbers = this.#numbers;
    let at = 0;
    for (;;) {
      const word = words[at * 4 + 2] ?? 0;
      if ((word & leafBit) !== 0) return at;
      const right = words[at * 4 + 3] ?? 0;
      const x = row[word >> placeShift];
      if (typeof x === 'number') {
        const threshold = numbers[at * 2] ?? 0;
        if ((word & isLess) === 0 ? x <= threshold : x < threshold) at += 1;
        else if (Number.isNaN(x)) return returnsLast ? at : -1;
        else at = right;
      } else if (onMissing === 'defaultChild') {
        at = (word & isDefaultLeft) === 0 ? right : at + 1;
      } else {
        return onMissing === 'stay' ? at : -1;
      }
    }
  }

  prediction(at: number): Prediction | undefined {
    return this.#predictions[at];
  }

  /**
   * What adds the probabilities of the node where a walk ends, from one table for all leaves;
   * false at an end without any. Undefined if leaves differ in their names, or one has none.
   */
  shares(walk: (row: Row) => number): Shares | undefined {
    const ends = this.#predictions.map(({ probabilities }) => probabilities);
    const leaves = ends.filter((_, at) => this.#isLeaf(at));
    const names = leaves[0]?.names;
    if (names === undefined || leaves.some((each) => each?.names !== names)) return undefined;
    const width = names.length;
    const all = new Float64Array(ends.length * width);
    for (const [at, end] of ends.entries()) {
      for (let each = 0; each < width; each += 1) {
        all[at * width + each] = end?.names === names ? (end.numbers[each] ?? 0) : Number.NaN;
      }
    }
    const add = (row: Row, weight: number, sums: number[]): boolean => {
      const from = walk(row) * width;
      if (from < 0 || Number.isNaN(all[from])) return false;
      for (let each = 0; each < width; each += 1) {
        sums[each] = (sums[each] ?? 0) + weight * (all[from + each] ?? 0);
      }
      return true;
    };
    return { names, add };
  }

  #isLeaf(at: number): boolean {
    return ((this.#words[at * 4 + 2] ?? 0) & leafBit) !== 0;
  }

  /** The number that a node predicts; NaN for none. */
  score(at: number): number {
    if (((this.#words[at * 4 + 2] ?? 0) & leafBit) !== 0)
      return this.#numbers[at * 2] ?? Number.NaN;
    const value = this.#predictions[at]?.value;
    return typeof value === 'number' ? value : Number.NaN;
  }
}

/** The table of a tree of splits; undefined if some node is something else. */
export function splitTable(nodes: Nodes): SplitTable | undefined {
  const { words, thresholds, predictions, defaults } = nodes;
  const count = words.length;
  if (!nodes.fitsAll) return undefined;
  const numbers = new Float64Array(count * 2);
  const packed = new Int32Array(numbers.buffer);
  for (let at = 0; at < count; at += 1) {
    if (((words[at] ?? 0) & leafBit) !== 0) {
      const score = predictions[at]?.value;
      numbers[at * 2] = typeof score === 'number' ? score : Number.NaN;
      packed[at * 4 + 2] = leafBit;
      continue;
    }
    const split = splitOf(nodes, at);
    if (split === undefined) return undefined;
    const isLeft = defaults[at] === at + 1;
    numbers[at * 2] = thresholds[at + 1] ?? 0;
    packed[at * 4 + 2] =
      (split.slot << placeShift) | (split.isLess ? isLess : 0) | (isLeft ? isDefaultLeft : 0);
    packed[at * 4 + 3] = split.right;
  }
  return new SplitTable(numbers, packed, predictions);
}

/** The codes of comparisons that exclude each other and leave nothing out: <= and >, < and >=. */
const opposite: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [2, 3],
]);

function splitOf({ words, thresholds, next }: Nodes, at: number) {
  const left = at + 1;
  const right = next[left] ?? 0;
  if (right === 0 || next[right] !== 0) return undefined;
  const [one = 0, other = 0] = [words[left], words[right]];
  const code = one & codeMask;
  const isPair =
    opposite.get(code) === (other & codeMask) &&
    one >> placeShift === other >> placeShift &&
    thresholds[left] === thresholds[right];
  return isPair ? { slot: one >> placeShift, isLess: code === 2, right } : undefined;
}
