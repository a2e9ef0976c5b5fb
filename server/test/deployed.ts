// What service.json says of instances when it says nothing: for tests that make their own.

import type { InstanceSettings } from '../src/deployment/instances.ts';

/** Settings that most tests of instances don't care for. */
export const unsaid: Pick<
  InstanceSettings,
  'resources' | 'rolling' | 'drainTimeoutMs' | 'keepCrashed'
> = {
  resources: { cpuMillis: 0, memoryBytes: 0, gpus: 0 },
  rolling: {
    maxSurge: { kind: 'percent', value: 2 },
    maxUnavailable: { kind: 'count', value: 0 },
    readyTimeoutMs: 600_000,
  },
  drainTimeoutMs: 0,
  keepCrashed: false,
};
