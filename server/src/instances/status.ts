// The state of one instance as people and the scaler see it, in words that say why.

import type { InstanceInfo, LastExit } from '@sluice/sdk/wire';
import type { InstanceState } from '../deployment/instances.ts';
import type { FeederView } from './feeder.ts';

export type { InstanceState };

/** How its run before this one ended. */
export interface LastRun {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly reason: string;
  /** Wall clock. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** The last lines it wrote. */
  readonly lines: readonly string[];
}

export interface InstanceStatus {
  readonly service: string;
  readonly name: string;
  readonly kind: 'process' | 'container' | 'endpoint' | 'pending';
  readonly state: InstanceState;
  /** It was told to go, whatever it still does. */
  readonly isLeaving: boolean;
  /** Why it is in that state; empty when there is nothing to say. */
  readonly reason: string;
  /** Empty while unknown. */
  readonly url: string;
  readonly pid: number | undefined;
  readonly revision: number;
  /** Wall clock, 0 = not started. Of the newest run, also when that has ended. */
  readonly startedAt: number;
  readonly readyAt: number;
  /** An earlier server has started it. */
  readonly isTakenOver: boolean;
  readonly restarts: number;
  /** How often in a row it ended by itself. */
  readonly crashes: number;
  readonly window: number;
  readonly feed: FeederView | undefined;
  readonly last: LastRun | undefined;
  /** Wall clock of the next start after a crash, 0 = none. */
  readonly nextStartAt: number;
}

/** Requests that its model has, or may still have. */
export function busySlots(status: Pick<InstanceStatus, 'feed'>): number {
  const { feed } = status;
  return feed === undefined ? 0 : feed.running.length + feed.abandoned;
}

/** The form of the administrative API. */
export function infoOf(status: InstanceStatus): InstanceInfo {
  const { name, kind, state, revision, restarts, window } = status;
  return {
    name,
    kind,
    state,
    message: status.reason,
    address: status.url,
    pid: status.pid ?? 0,
    revision,
    startedAt: status.startedAt === 0 ? '' : new Date(status.startedAt).toISOString(),
    restarts,
    window,
    busy: busySlots(status),
    ready: state === 'Running' || state === 'Busy',
    host: '',
    lastExit: status.last === undefined ? null : exitOf(status.last),
  };
}

function exitOf({ code, signal, reason, startedAt, endedAt, lines }: LastRun): LastExit {
  return {
    code: code ?? null,
    signal: signal ?? null,
    reason,
    startedAt: startedAt === 0 ? '' : new Date(startedAt).toISOString(),
    endedAt: endedAt === 0 ? '' : new Date(endedAt).toISOString(),
    lines,
  };
}
