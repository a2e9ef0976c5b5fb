// What the scenarios find: figures by name, each with the spread of its rounds.

import { type Spread, spreadOf } from './spread.ts';

export type Unit = '/s' | 'ms' | 'us' | 's' | 'bytes' | '';

/** What the design asks for. */
export type Target = { readonly least: number } | { readonly most: number };

export interface Figure {
  /** As in the file: `dispatch_ms.p99`. */
  readonly name: string;
  readonly unit: Unit;
  readonly spread: Spread;
  /** undefined: the figure explains others. */
  readonly target: Target | undefined;
}

/** One figure of the values of several rounds. */
export function figure(
  name: string,
  unit: Unit,
  values: readonly number[],
  target?: Target,
): Figure {
  return { name, unit, spread: spreadOf(values), target };
}

/** undefined when there is nothing to meet. */
export function isMet({ spread, target }: Figure): boolean | undefined {
  if (target === undefined) return undefined;
  return 'least' in target ? spread.median >= target.least : spread.median <= target.most;
}
