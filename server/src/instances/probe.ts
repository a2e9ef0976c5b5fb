// One health check: does the port accept, does the path answer, does the command succeed? It always
// ends within its time, and tells a check that failed from one that got no answer in time: a model
// that is busy may well be too busy to answer.

import { connect } from 'node:net';
import { Client } from 'undici';
import type { HealthCheck } from '../deployment/instances.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RunBeside } from './driver.ts';

export interface ProbeResult {
  readonly ok: boolean;
  readonly timedOut: boolean;
  /** What went wrong, as the end of a sentence; empty when it passed. */
  readonly reason: string;
}

export interface ProbeTarget {
  readonly url: URL;
  readonly exec: RunBeside | undefined;
}

export interface ProbeOptions {
  readonly clock: Clock;
  /** Aborted: the answer is not wanted any more. */
  readonly signal: AbortSignal;
}

type Answer = Pick<ProbeResult, 'ok' | 'reason'>;

/** Never rejects. */
export async function probe(
  check: HealthCheck,
  target: ProbeTarget,
  { clock, signal }: ProbeOptions,
): Promise<ProbeResult> {
  const end = new AbortController();
  let timedOut = false;
  const timer = clock.after(check.timeoutMs, () => {
    timedOut = true;
    end.abort();
  });
  const stop = (): void => end.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const answer = await ask(check, target, end.signal);
  timer.cancel();
  signal.removeEventListener('abort', stop);
  if (answer.ok) return { ok: true, timedOut: false, reason: '' };
  const reason = timedOut ? `no answer within ${check.timeoutMs / 1000} s` : answer.reason;
  return { ok: false, timedOut, reason };
}

function ask(check: HealthCheck, target: ProbeTarget, signal: AbortSignal): Promise<Answer> {
  const { url } = target;
  const port = check.port ?? portOf(url);
  switch (check.probe.kind) {
    case 'tcp':
      return askPort(url.hostname, port, signal);
    case 'http':
      return askPath(new URL(`${url.protocol}//${url.hostname}:${port}`), check.probe.path, signal);
    case 'exec':
      if (target.exec === undefined) {
        return Promise.resolve({ ok: false, reason: 'commands cannot be run beside an endpoint' });
      }
      return target.exec(check.probe.argv, signal);
  }
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function askPort(host: string, port: number, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    // Brackets belong to addresses in URLs only.
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port });
    const done = (answer: Answer): void => {
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(answer);
    };
    const stop = (): void => done({ ok: false, reason: `port ${port} does not answer` });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    socket.once('connect', () => done({ ok: true, reason: '' }));
    socket.once('error', (error) => done({ ok: false, reason: refusal(error, port) }));
  });
}

async function askPath(origin: URL, path: string, signal: AbortSignal): Promise<Answer> {
  const client = new Client(origin, { headersTimeout: 0, bodyTimeout: 0, pipelining: 0 });
  const stop = (): void => void client.destroy().catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return { ok: false, reason: 'not asked' };
    const headers = { 'user-agent': 'sluice-health-check' };
    const answer = await client.request({ method: 'GET', path, headers });
    const ok = answer.statusCode >= 200 && answer.statusCode < 400;
    answer.body.on('error', () => undefined).destroy();
    return { ok, reason: `GET ${path} answered ${answer.statusCode}` };
  } catch (error) {
    const text = error instanceof Error ? refusal(error, portOf(origin)) : String(error);
    return { ok: false, reason: text };
  } finally {
    signal.removeEventListener('abort', stop);
    await client.destroy().catch(() => undefined);
  }
}

function refusal(error: Error, port: number): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  const code = inner instanceof Error && 'code' in inner ? inner.code : undefined;
  if (code === 'ECONNREFUSED') return `nothing listens on port ${port}`;
  return inner instanceof Error && inner.message !== '' ? inner.message : String(code);
}
