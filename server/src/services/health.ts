// The health check of a service, out of either spelling and either place.

import type { HealthCheck, InstanceSource } from '../deployment/instances.ts';
import type { HealthCheckFile } from './file.ts';
import type { Problem } from './spelling.ts';

/** Without a check an instance is ready when its port accepts TCP, a processor when it says so. */
const portCheck: HealthCheckFile = {
  initial_delay_seconds: 600,
  period_seconds: 10,
  timeout_seconds: 5,
  success_threshold: 1,
  failure_threshold: 3,
};

export interface HealthFile {
  readonly path: string;
  readonly check: HealthCheckFile;
}

/** The check to use. Mistakes go to `problems`. */
export function healthCheck(
  given: HealthFile | undefined,
  source: InstanceSource,
  problems: Problem[],
): HealthCheck {
  const fallback = source.kind === 'processor' ? { ...portCheck, path: '/health' } : portCheck;
  const check = given?.check ?? fallback;
  const { probe, port } = probeOf(given?.path ?? 'health_check', check, problems);
  if (probe.kind === 'exec' && source.kind === 'endpoint') {
    problems.push({
      path: given?.path ?? 'health_check',
      message: 'of kind exec needs a process; for an endpoint use http or tcp',
    });
  }
  return {
    probe,
    port,
    initialDelayMs: Math.round(check.initial_delay_seconds * 1000),
    periodMs: Math.round(check.period_seconds * 1000),
    timeoutMs: Math.round(check.timeout_seconds * 1000),
    successThreshold: check.success_threshold,
    failureThreshold: check.failure_threshold,
  };
}

type Probe = Pick<HealthCheck, 'probe' | 'port'>;

function probeOf(path: string, check: HealthCheckFile, problems: Problem[]): Probe {
  const ways: [string, Probe][] = [];
  if (check.http_get !== undefined) {
    ways.push(['http_get', http(check.http_get.path, check.http_get.port)]);
  }
  if (check.tcp_socket !== undefined) ways.push(['tcp_socket', tcp(check.tcp_socket.port)]);
  if (check.exec !== undefined) ways.push(['exec', exec(check.exec.command)]);
  const flat = flatProbe(path, check, problems);
  if (flat !== undefined) ways.push(flat);
  if (ways.length > 1) {
    const names = ways.map(([name]) => name).join(' and ');
    problems.push({ path, message: `names ${names}; one way to check is possible` });
  }
  return ways[0]?.[1] ?? tcp(check.port);
}

/** The spelling with `type`, `path`, `port` and `command` beside each other. */
function flatProbe(
  path: string,
  check: HealthCheckFile,
  problems: Problem[],
): [string, Probe] | undefined {
  const fallback = check.path === undefined ? undefined : 'http';
  const type = check.type ?? (check.command === undefined ? fallback : 'exec');
  if (type === undefined) return undefined;
  const label = check.type === undefined ? (type === 'exec' ? 'command' : 'path') : 'type';
  if (type !== 'http' && check.path !== undefined) {
    problems.push({ path: `${path}.path`, message: 'belongs to type http' });
  }
  if (type !== 'exec' && check.command !== undefined) {
    problems.push({ path: `${path}.command`, message: 'belongs to type exec' });
  }
  if (type === 'http') return [label, http(check.path ?? '/', check.port)];
  if (type === 'tcp') return [label, tcp(check.port)];
  if (check.command === undefined) {
    problems.push({ path: `${path}.command`, message: 'is required for type exec' });
  }
  return [label, exec(check.command ?? [])];
}

const http = (path: string, port: number | undefined): Probe => ({
  probe: { kind: 'http', path },
  port,
});

const tcp = (port: number | undefined): Probe => ({ probe: { kind: 'tcp' }, port });

const exec = (command: string | readonly string[]): Probe => ({
  probe: {
    kind: 'exec',
    argv: typeof command === 'string' ? ['/bin/bash', '-c', command] : command,
  },
  port: undefined,
});
