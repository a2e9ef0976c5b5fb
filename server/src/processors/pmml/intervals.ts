// Interval elements: a left and a right margin, each open or closed.

import type { Element } from './element.ts';

export interface Interval {
  readonly left: number;
  readonly right: number;
  readonly isLeftClosed: boolean;
  readonly isRightClosed: boolean;
  contains(x: number): boolean;
}

/** An Interval element; a margin that isn't given is without end. */
export function intervalIn(element: Element): Interval {
  const closure = element.choice('closure', [
    'openOpen',
    'openClosed',
    'closedOpen',
    'closedClosed',
  ]);
  const left = element.optionalNumber('leftMargin') ?? Number.NEGATIVE_INFINITY;
  const right = element.optionalNumber('rightMargin') ?? Number.POSITIVE_INFINITY;
  const isLeftClosed = closure.startsWith('closed');
  const isRightClosed = closure.endsWith('Closed');
  const contains = (x: number): boolean =>
    (isLeftClosed ? x >= left : x > left) && (isRightClosed ? x <= right : x < right);
  return { left, right, isLeftClosed, isRightClosed, contains };
}
