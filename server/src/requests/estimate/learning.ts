// Follows a few of the requests that wait until they start, so that the ranges of later ones are as
// long as those of earlier ones should have been.

import type { Known } from '../../broker/requests.ts';
import type { Clock, Time } from '../../kernel/clock.ts';
import type { WaitFacts } from '../wait-facts.ts';
import { forecastStart } from './estimate.ts';
import type { WaitObserver } from './observer.ts';

export interface LearningParts {
  readonly observer: WaitObserver;
  /** The requests of the service. */
  readonly requests: {
    find(index: number): Promise<Known | undefined>;
    follow(index: number, changed: () => void): () => void;
  };
  readonly clock: Clock;
}

/**
 * Call whenever facts of a request that waits were gathered: it is followed if one more is to be.
 * Requests that were delivered before, or wait for a time of their own, teach nothing.
 */
export function learnFrom(facts: WaitFacts, index: number, parts: LearningParts): void {
  const { observer, requests, clock } = parts;
  const { delayUntil, backoffUntil } = facts.request;
  const { mono } = clock.now();
  if (delayUntil > 0 || backoffUntil > 0 || !observer.wantsToFollow(mono)) return;
  const forecast = forecastStart(facts);
  if (typeof forecast === 'string' || !observer.follow(index, forecast, mono)) return;
  let isOver = false;
  const stop = requests.follow(index, () => {
    look().catch(over);
  });
  const over = (): void => {
    if (isOver) return;
    isOver = true;
    observer.left(index);
    stop();
  };
  const look = async (): Promise<void> => {
    const known = await requests.find(index);
    const startedAt = firstDelivery(known);
    if (known?.kind === 'live' && startedAt === 0) return;
    if (!isOver && startedAt > 0) observer.delivered(index, monoOf(startedAt, clock.now()));
    over();
  };
}

/** Wall clock; 0 = it was never delivered. */
function firstDelivery(known: Known | undefined): number {
  if (known === undefined) return 0;
  if (known.kind === 'rested') return known.record.firstDeliveredAt;
  return known.standing.mark?.firstDeliveredAt ?? 0;
}

function monoOf(wall: number, now: Time): number {
  return now.mono - Math.max(0, now.wall - wall);
}
