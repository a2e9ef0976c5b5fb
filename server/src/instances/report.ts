// What runs of a service, in figures and one sentence, for whoever declared it.

import type { DeployedService, Rollout, RuntimeReport } from '../deployment/service.ts';
import type { InstanceStatus } from './status.ts';

export function reportOf(
  wanted: DeployedService,
  statuses: readonly InstanceStatus[],
  {
    limit,
    rollout,
  }: {
    /** Why not all that are wanted can be started; undefined: they can. */
    readonly limit: string | undefined;
    readonly rollout: Rollout;
  },
): RuntimeReport {
  const { revision } = wanted;
  const staying = statuses.filter(({ isLeaving }) => !isLeaving);
  const own = staying.filter((status) => status.revision === revision);
  const count = (...states: readonly InstanceStatus['state'][]): number =>
    own.filter(({ state }) => states.includes(state)).length;
  const told = own.find(({ state }) => state === 'CrashLoop' || state === 'Unhealthy');
  const waiting = own.find(({ reason }) => reason !== '');
  const spoken = told ?? waiting;
  return {
    revision,
    wanted: wantedCount(wanted),
    running: count('Running', 'Busy'),
    pending: count('Pending', 'Pulling', 'Starting', 'Unhealthy'),
    // One that is about to be started says nothing yet.
    waiting: own.filter(({ state, reason }) => state === 'Pending' && reason !== '').length,
    failed: count('CrashLoop'),
    leaving: statuses.length - staying.length,
    rollout,
    message: limit ?? (spoken === undefined ? '' : `${spoken.name}: ${spoken.reason}`),
  };
}

function wantedCount({ instances: { source, count } }: DeployedService): number {
  switch (source.kind) {
    case 'endpoint':
      return Math.min(count, new Set(source.urls).size);
    case 'none':
      return 0;
    case 'process':
    case 'container':
    case 'processor':
    case 'pending':
      return count;
  }
}
