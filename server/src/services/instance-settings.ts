// The file → how instances are run and fed: source, count, window, call, health.

import type { InstanceSettings } from '../deployment/instances.ts';
import type { ServiceFile } from './file.ts';
import { type HealthFile, healthCheck } from './health.ts';
import { type Source, sourceOf } from './source.ts';
import type { Problem } from './spelling.ts';

export interface InstanceContext {
  readonly problems: Problem[];
  readonly warnings: string[];
}

/** Settings of the instances; mistakes and warnings go to the context's lists. */
export function instanceSettings(file: ServiceFile, context: InstanceContext): InstanceSettings {
  const { problems } = context;
  const declared = sourceOf(file, problems);
  const { source } = declared;
  const count = countOf(file, declared, context);
  if (source.kind === 'process' && source.port !== 0 && mostInstances(file, count) > 1) {
    problems.push({
      path: 'containers[0].port',
      message:
        `${source.port} can be held by one process only, but ${mostInstances(file, count)} are ` +
        'wanted; leave it out and listen on the port given as PORT',
    });
  }
  if (file.request.path !== undefined && declared.path !== undefined) {
    problems.push({
      path: 'request.path',
      message: `is given, and so is a path in endpoint (${declared.path}); give one of them`,
    });
  }
  return {
    source,
    count,
    window: file.metadata.rpc.worker_threads,
    keepaliveMs: file.metadata.rpc.keepalive,
    request: {
      path: file.request.path ?? declared.path ?? '/',
      paths: file.request.paths,
      method: file.request.method,
      contentType: file.request.content_type,
    },
    retryStatuses: [...new Set(file.retry.statuses)].sort((a, b) => a - b),
    releaseAfterMs: file.release_after,
    resources: { cpuMillis: 0, memoryBytes: 0, gpus: 0 },
    rolling: {
      maxSurge: { kind: 'percent', value: 2 },
      maxUnavailable: { kind: 'count', value: 0 },
      readyTimeoutMs: 600_000,
    },
    drainTimeoutMs: 0,
    healthCheck: healthCheck(healthFile(file, problems), source, problems),
    terminationGraceMs: file.metadata.eas.termination_grace_period,
    keepCrashed: file.runtime.enable_crash_block,
  };
}

function countOf(file: ServiceFile, declared: Source, context: InstanceContext): number {
  const { problems, warnings } = context;
  const wanted = file.metadata.instance;
  const path = 'metadata.instance';
  if (declared.source.kind === 'none') {
    if (wanted === undefined) {
      problems.push({ path, message: 'is required; 0 makes a service of queues only' });
    } else if (wanted > 0) {
      problems.push({
        path,
        message: `is ${wanted}, but nothing says how: add endpoint or containers, or set it to 0`,
      });
    }
    return 0;
  }
  if (wanted === undefined && declared.count === undefined) {
    problems.push({ path, message: 'is required' });
  }
  if (declared.count === undefined || wanted === 0) return wanted ?? 0;
  if (wanted !== undefined && wanted !== declared.count) {
    warnings.push(
      `${path}: is ${wanted}, but all ${declared.count} servers of endpoint are used; 0 uses none`,
    );
  }
  return declared.count;
}

const mostInstances = (file: ServiceFile, count: number): number =>
  Math.max(count, file.autoscaler?.max ?? 0);

function healthFile(file: ServiceFile, problems: Problem[]): HealthFile | undefined {
  const checks: HealthFile[] = [];
  if (file.health_check !== undefined) {
    checks.push({ path: 'health_check', check: file.health_check });
  }
  for (const [at, { health_check: check }] of (file.containers ?? []).entries()) {
    if (check !== undefined) checks.push({ path: `containers[${at}].health_check`, check });
  }
  if (checks.length > 1) {
    problems.push({ path: checks[1]?.path ?? '', message: 'is the second health check; give one' });
  }
  return checks[0];
}
