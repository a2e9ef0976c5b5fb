// The file → how instances are run and fed: source, count, window, call, health.

import type {
  CancelSettings,
  InstanceSettings,
  InstanceSource,
  Resources,
} from '../deployment/instances.ts';
import type { ScalingPolicy } from '../deployment/scaling.ts';
import type { ServiceFile } from './file.ts';
import { type HealthFile, healthCheck } from './health.ts';
import { resourcesOf, rollingOf } from './resources.ts';
import { mostWanted } from './scaling-policy.ts';
import { type Source, sourceOf } from './source.ts';
import type { Problem } from './spelling.ts';

export interface InstanceContext {
  readonly problems: Problem[];
  readonly warnings: string[];
  /** undefined: the declared number of instances stays. */
  readonly scaling: ScalingPolicy | undefined;
}

/** Settings of the instances; mistakes and warnings go to the context's lists. */
export function instanceSettings(file: ServiceFile, context: InstanceContext): InstanceSettings {
  const { problems } = context;
  const declared = sourceOf(file, context);
  const { source } = declared;
  const count = countOf(file, declared, context);
  const most = Math.max(count, context.scaling === undefined ? 0 : mostWanted(context.scaling));
  if (source.kind === 'process' && source.port !== 0 && most > 1) {
    problems.push({
      path: 'containers[0].port',
      message:
        `${source.port} can be held by one process only, but ${most} are wanted; ` +
        'leave it out and listen on the port given as PORT',
    });
  }
  const rolling = rollingOf(file.metadata, problems);
  warnOfIdle(file, source, context.warnings);
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
    cancel: cancelOf(file),
    resources: isStarted(source) ? resourcesOf(file.metadata) : noResources,
    rolling,
    drainTimeoutMs: file.metadata.drain_timeout,
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
    if (context.scaling !== undefined) return context.scaling.min;
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

function cancelOf({ requests }: ServiceFile): CancelSettings | undefined {
  const { cancel } = requests;
  if (cancel === undefined) return undefined;
  const { path, method, grace, end_instance: endsInstance } = cancel;
  return { path, method, graceMs: grace, endsInstance };
}

const noResources: Resources = { cpuMillis: 0, memoryBytes: 0, gpus: 0 };

/** Whether instances of it are ever started here, so that they need room. */
const isStarted = ({ kind }: InstanceSource): boolean => kind !== 'endpoint' && kind !== 'none';

/** Names what is declared and has no effect on instances of this kind. */
function warnOfIdle(file: ServiceFile, source: InstanceSource, warnings: string[]): void {
  const { cpu, memory, gpu, shm_size: sharedMemory } = file.metadata;
  const idle: string[] = [];
  if (!isStarted(source)) {
    if (cpu > 0) idle.push('metadata.cpu');
    if (memory > 0) idle.push('metadata.memory');
    if (gpu > 0) idle.push('metadata.gpu');
  }
  if (source.kind !== 'container' && source.kind !== 'pending') {
    if (sharedMemory > 0) idle.push('metadata.shm_size');
    if (file.storage.length > 0) idle.push('storage');
    if (file.dockerAuth !== undefined) idle.push('dockerAuth');
  }
  const isModel = source.kind === 'processor' || source.kind === 'pending';
  if (!isModel && file.model_config !== undefined) idle.push('model_config');
  const batches = source.kind === 'processor' ? source.processor === 'onnx' : isModel;
  if (!batches && file.metadata.rpc.batching) idle.push('metadata.rpc.batching');
  if (idle.length === 0) return;
  warnings.push(`${idle.join(', ')}: without effect on ${nameOf(source)}`);
}

function nameOf(source: InstanceSource): string {
  if (source.kind === 'none') return 'queues without instances';
  if (source.kind === 'processor') return `processor ${source.processor}`;
  return `a service of ${source.kind}`;
}

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
