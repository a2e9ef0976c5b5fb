// The category with the most: what every classification ends with.

import type { Prediction, Value } from './model.ts';

/** The place of the largest number; of equal ones the first. -1 if there is none but NaN. */
export function largest(numbers: ArrayLike<number>): number {
  let best = -1;
  for (let at = 0; at < numbers.length; at += 1) {
    const number = numbers[at] ?? Number.NaN;
    if (best === -1 ? !Number.isNaN(number) : number > (numbers[best] ?? number)) best = at;
  }
  return best;
}

/** The most probable category, with the probabilities of all. */
export function mostProbable(
  names: readonly Value[],
  probabilities: ArrayLike<number>,
): Prediction {
  return {
    value: names[largest(probabilities)],
    probabilities: { names, numbers: probabilities },
  };
}
