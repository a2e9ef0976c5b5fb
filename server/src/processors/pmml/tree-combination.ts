// What a tree predicts where a missing value leaves several branches possible: their predictions,
// each weighted with the share of its node's records among those of all possible ones.

import type { Distribution, Prediction, Value } from './model.ts';

/** How branches are combined: by the confidences of their leaves, or by their records. */
export type Combination = 'weightedConfidence' | 'aggregateNodes';

export interface Branch {
  /** The records of the branch's node. */
  readonly weight: number;
  readonly prediction: Prediction;
}

/**
 * The prediction of all branches together. With aggregateNodes the shares are those of records:
 * 40 of 60 records for a class in one leaf and 10 of 40 in another are 50 of 100, which is
 * 0.6 * 40/60 + 0.4 * 10/40.
 */
export function combine(branches: readonly Branch[], how: Combination): Prediction {
  const of = how === 'weightedConfidence' ? 'confidences' : 'probabilities';
  const total = branches.reduce((sum, { weight }) => sum + weight, 0);
  const shares = new Map<Value, number>();
  for (const { weight, prediction } of branches) {
    const { names, numbers }: Distribution = prediction[of] ?? { names: [], numbers: [] };
    for (const [at, name] of names.entries()) {
      shares.set(name, (shares.get(name) ?? 0) + ((numbers[at] ?? 0) * weight) / total);
    }
  }
  const distribution = { names: [...shares.keys()], numbers: [...shares.values()] };
  const best = distribution.numbers.indexOf(Math.max(...distribution.numbers));
  return {
    value: distribution.names[best],
    probabilities: distribution,
    confidences: distribution,
  };
}
