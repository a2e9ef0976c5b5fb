// One health check: does the port accept, does the path answer, does the command succeed? It always
// ends within its time, and tells a check that failed from one that got no answer in time: a model
// that is busy may well be too busy to answer.

import { connect } from 'node:net';
import { Client } from 'undici';
import type { HealthCheck } from '../deployment/instances.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { PortAddress, Running } from './driver.ts';

export interface ProbeResult {
  readonly ok: boolean;
  readonly timedOut: boolean;
  /** What went wrong, as the end of a sentence; empty when it passed. */
  readonly reason: string;
}

export type ProbeTarget = Pick<Running, 'url' | 'exec' | 'portAt'>;

export interface ProbeOptions {
  readonly clock: Clock;
  /** Aborted: the answer is not wanted any more. */
  readonly signal: AbortSignal;
}

type Answer = Pick<ProbeResult, 'ok' | 'reason'>;

/** A proxy accepts first and finds out then that nothing listens behind it: it hangs up at once. */
const hangUpMs = 200;

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
  const answer = await ask(check, target, { clock, signal: end.signal });
  timer.cancel();
  signal.removeEventListener('abort', stop);
  if (answer.ok) return { ok: true, timedOut: false, reason: '' };
  const reason = timedOut ? `no answer within ${check.timeoutMs / 1000} s` : answer.reason;
  return { ok: false, timedOut, reason };
}

function ask(check: HealthCheck, target: ProbeTarget, options: ProbeOptions): Promise<Answer> {
  const at = addressOf(check, target);
  switch (check.probe.kind) {
    case 'tcp':
      return askPort(at, options);
    case 'http': {
      const origin = new URL(`${target.url.protocol}//${at.host}:${at.port}`);
      return askPath(origin, at, { path: check.probe.path, signal: options.signal });
    }
    case 'exec':
      if (target.exec === undefined) {
        return Promise.resolve({ ok: false, reason: 'commands cannot be run beside an endpoint' });
      }
      return target.exec(check.probe.argv, options.signal);
  }
}

function addressOf(check: HealthCheck, { url, portAt }: ProbeTarget): PortAddress {
  if (portAt !== undefined) return portAt(check.port);
  const port = check.port ?? portOf(url);
  return { host: url.hostname, port, inside: port, isProxied: false };
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function askPort(at: PortAddress, { clock, signal }: ProbeOptions): Promise<Answer> {
  const { host, port, inside, isProxied } = at;
  return new Promise((resolve) => {
    // Brackets belong to addresses in URLs only.
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port });
    let settled: Timer | undefined;
    const done = (answer: Answer): void => {
      settled?.cancel();
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(answer);
    };
    const stop = (): void => done({ ok: false, reason: `port ${inside} does not answer` });
    const accept = (): void => done({ ok: true, reason: '' });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    socket.once('connect', () => {
      if (isProxied) settled = clock.after(hangUpMs, accept);
      else accept();
    });
    // A server that speaks first is one that listens; the end of a connection is seen by reading.
    socket.once('data', accept);
    socket.once('end', () => done({ ok: false, reason: nothing(inside) }));
    socket.once('error', (error) => done({ ok: false, reason: refusal(error, at) }));
  });
}

async function askPath(
  origin: URL,
  at: PortAddress,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<Answer> {
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
    const text = error instanceof Error ? refusal(error, at) : String(error);
    return { ok: false, reason: text };
  } finally {
    signal.removeEventListener('abort', stop);
    await client.destroy().catch(() => undefined);
  }
}

function nothing(port: number): string {
  return `nothing listens on port ${port}`;
}

function refusal(error: Error, { inside, isProxied }: PortAddress): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  const code = inner instanceof Error && 'code' in inner ? inner.code : undefined;
  const hungUp = code === 'ECONNRESET' || code === 'UND_ERR_SOCKET';
  if (code === 'ECONNREFUSED' || (isProxied && hungUp)) return nothing(inside);
  return inner instanceof Error && inner.message !== '' ? inner.message : String(code);
}
