// What health checks mean: ready with the first success, busy while work keeps it from answering,
// and ended only when it holds no work.

import { expect, it } from 'vitest';
import type { HealthCheck } from '../../src/deployment/instances.ts';
import type { ProbeResult } from '../../src/instances/probe.ts';
import { Vitals } from '../../src/instances/vitals.ts';

const check: HealthCheck = {
  probe: { kind: 'tcp' },
  port: undefined,
  initialDelayMs: 20_000,
  periodMs: 10_000,
  timeoutMs: 5000,
  successThreshold: 1,
  failureThreshold: 3,
};
const passed: ProbeResult = { ok: true, timedOut: false, reason: '' };
const failed: ProbeResult = { ok: false, timedOut: false, reason: 'refused' };
const late: ProbeResult = { ok: false, timedOut: true, reason: 'no answer' };
const idle = { holdsWork: false, ageMs: 100_000 };
const working = { holdsWork: true, ageMs: 100_000 };

function readyVitals(): Vitals {
  const vitals = new Vitals(check);
  vitals.judge(passed, idle);
  return vitals;
}

it('is ready with the first success, or as many as were asked for', () => {
  expect(new Vitals(check).judge(passed, idle).health).toBe('ready');
  const careful = new Vitals({ ...check, successThreshold: 2 });
  const judge = (result: ProbeResult): string => careful.judge(result, idle).health;
  expect([passed, failed, passed, passed].map(judge)).toEqual([
    ...['starting', 'starting', 'starting', 'ready'],
  ]);
});

it('forgives failures for the initial delay, then counts one a period', () => {
  const vitals = new Vitals(check);
  const lostAt: number[] = [];
  for (let ageMs = 0; ageMs <= 60_000 && lostAt.length === 0; ageMs += 500) {
    if (vitals.judge(failed, { holdsWork: false, ageMs }).isLost) lostAt.push(ageMs);
  }
  expect(lostAt).toEqual([40_000]);
});

it('probes quickly while it starts and at its period afterwards', () => {
  const vitals = new Vitals(check);
  const pauses: number[] = [];
  for (let probes = 0; probes < 6; probes += 1) {
    pauses.push(vitals.nextInMs());
    vitals.judge(failed, { holdsWork: false, ageMs: 0 });
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1000, 1000]);
  vitals.judge(passed, idle);
  expect(vitals.nextInMs()).toBe(10_000);
});

it('is busy, and never lost, when it holds work and a check times out', () => {
  const vitals = readyVitals();
  for (let checks = 0; checks < 20; checks += 1) {
    expect(vitals.judge(late, working)).toEqual({ health: 'busy', isLost: false });
  }
  expect(vitals.judge(passed, working).health).toBe('ready');
});

it('is not ended by failing checks while it holds work, and is once it is idle', () => {
  const vitals = readyVitals();
  const judgements = [1, 2, 3, 4].map(() => vitals.judge(failed, working));
  expect(judgements.map(({ isLost }) => isLost)).toEqual([false, false, false, false]);
  expect(judgements.map(({ health }) => health)).toEqual([
    ...['ready', 'ready', 'unhealthy', 'unhealthy'],
  ]);
  expect(vitals.judge(failed, idle).isLost).toBe(true);
});

it('is lost after the failure threshold when idle, also by time-outs', () => {
  const vitals = readyVitals();
  expect([late, failed, late].map((result) => vitals.judge(result, idle).isLost)).toEqual([
    ...[false, false, true],
  ]);
});

it('forgets failures with every success', () => {
  const vitals = readyVitals();
  for (const result of [failed, failed, passed, failed, failed]) {
    expect(vitals.judge(result, idle).isLost).toBe(false);
  }
});
