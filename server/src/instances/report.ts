// What runs of a service, in figures and one sentence, for whoever declared it.

import type { InstanceStatus } from './status.ts';
import type { WantedService } from './wanted.ts';

export interface RuntimeReport {
  /** The revision these figures are about. */
  readonly revision: number;
  readonly wanted: number;
  /** Ready for work, or busy with it, at `revision`. */
  readonly running: number;
  /** Being started, or waiting for something. */
  readonly pending: number;
  /** Ended by themselves and waiting to be started anew. */
  readonly failed: number;
  /** Why not all run, or what one should know; empty when all is well. */
  readonly message: string;
}

export function reportOf(
  wanted: WantedService,
  statuses: readonly InstanceStatus[],
  limit: string | undefined,
): RuntimeReport {
  const { revision } = wanted;
  const own = statuses.filter((status) => status.revision === revision);
  const count = (...states: readonly InstanceStatus['state'][]): number =>
    own.filter(({ state }) => states.includes(state)).length;
  const told = own.find(({ state }) => state === 'Crashed' || state === 'Unhealthy');
  const waiting = own.find(({ reason }) => reason !== '');
  const spoken = told ?? waiting;
  return {
    revision,
    wanted: wantedCount(wanted),
    running: count('Ready', 'Busy'),
    pending: count('Starting', 'Pending', 'Unhealthy'),
    failed: count('Crashed'),
    message: limit ?? (spoken === undefined ? '' : `${spoken.name}: ${spoken.reason}`),
  };
}

function wantedCount({ instances: { source, count } }: WantedService): number {
  switch (source.kind) {
    case 'endpoint':
      return Math.min(count, new Set(source.urls).size);
    case 'none':
      return 0;
    case 'process':
    case 'pending':
      return count;
  }
}
