// What service.json says of instances when it says nothing: for tests that make their own.

import type { InstanceSettings } from '../src/deployment/instances.ts';
import type { DeployedService } from '../src/deployment/service.ts';

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

/** A service of one process, of which a test says only what it is about. */
export function deployed(
  more: Partial<InstanceSettings> = {},
  facts: Partial<Omit<DeployedService, 'instances'>> = {},
): DeployedService {
  const instances: InstanceSettings = {
    ...unsaid,
    source: { kind: 'process', form: 'command', text: 'x', port: 0, env: {}, workDir: undefined },
    count: 1,
    window: 1,
    keepaliveMs: 0,
    request: { path: '/', paths: [], method: 'POST', contentType: '' },
    retryStatuses: [],
    releaseAfterMs: 0,
    healthCheck: {
      probe: { kind: 'tcp' },
      port: undefined,
      initialDelayMs: 0,
      periodMs: 10_000,
      timeoutMs: 5000,
      successThreshold: 1,
      failureThreshold: 3,
    },
    terminationGraceMs: 0,
    ...more,
  };
  return { number: 1, name: 'reader', revision: 1, sourceRevision: 1, ...facts, instances };
}
