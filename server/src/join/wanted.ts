// What a joined worker runs: the settings of its command line, and for all else the terms of the
// service, as one service of one instance for whoever runs instances.

import type { WorkTerms } from '@sluice/sdk/wire';
import type { EndpointSource, HealthCheck, ProcessSource } from '../deployment/instances.ts';
import type { DeployedService } from '../deployment/service.ts';

/** What the command line says of the instance. */
export interface InstanceChoice {
  readonly source: ProcessSource | EndpointSource;
  /** undefined: as the service says. */
  readonly window: number | undefined;
  readonly path: string | undefined;
  readonly keepaliveMs: number | undefined;
  /** A GET there says whether the model server can work; undefined: its port does. */
  readonly healthPath: string | undefined;
  readonly terminationGraceMs: number;
  /** Longest wait for running requests when the worker leaves; 0 = as long as they take. */
  readonly drainTimeoutMs: number;
}

/** What it works for, and a number that no earlier worker has used on this machine. */
export interface InstanceIdentity {
  readonly service: string;
  readonly number: number;
}

const forever = Number.MAX_SAFE_INTEGER;

/** Everything in full, ready to be applied; the same again with newer terms changes what it can
 * without a break. */
export function wantedInstance(
  { service, number }: InstanceIdentity,
  choice: InstanceChoice,
  terms: WorkTerms,
): DeployedService {
  const { source, terminationGraceMs, drainTimeoutMs } = choice;
  const { paths, method, contentType, retryStatuses, releaseAfterMs, cancel } = terms;
  return {
    number,
    name: service,
    revision: terms.revision,
    sourceRevision: 1,
    instances: {
      source,
      count: 1,
      window: choice.window ?? terms.window,
      keepaliveMs: choice.keepaliveMs ?? terms.keepaliveMs,
      request: { path: choice.path ?? terms.path, paths, method, contentType },
      retryStatuses,
      releaseAfterMs,
      cancel,
      resources: { cpuMillis: 0, memoryBytes: 0, gpus: 0 },
      rolling: {
        maxSurge: { kind: 'count', value: 0 },
        maxUnavailable: { kind: 'count', value: 1 },
        // There is no earlier revision to go back to: it goes on trying.
        readyTimeoutMs: forever,
      },
      healthCheck: healthCheck(choice.healthPath),
      terminationGraceMs,
      drainTimeoutMs,
      keepCrashed: false,
    },
  };
}

function healthCheck(path: string | undefined): HealthCheck {
  return {
    probe: path === undefined ? { kind: 'tcp' } : { kind: 'http', path },
    port: undefined,
    // Loading a model may take its time; a process that ends is noticed anyway.
    initialDelayMs: 600_000,
    periodMs: 10_000,
    timeoutMs: 5000,
    successThreshold: 1,
    failureThreshold: 3,
  };
}
