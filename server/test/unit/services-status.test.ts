// The word for how a service does, and the sentence that says what is missing.

import { describe, expect, it } from 'vitest';
import type { RuntimeReport } from '../../src/deployment/service.ts';
import { type Situation, statusOf } from '../../src/services/status.ts';
import { base, type File, parsed } from './services-files.ts';

describe('status', () => {
  it('is Running for queues alone', () => {
    expect(statusOf(situation({ file: { metadata: { instance: 0 }, labels: {} } })).status).toBe(
      'Running',
    );
  });

  it('is Pending with what is missing when nothing here can run it', () => {
    const { status, message } = statusOf(situation({ file: { processor: 'caffe' } }));
    expect(status).toBe('Pending');
    expect(message).toContain('this Sluice has pmml, onnx, node, python');
  });

  it('is Running only when all wanted instances are ready', () => {
    expect(word({ wanted: 2, running: 2 })).toEqual(['Running', '']);
    expect(word({ wanted: 2, running: 1, pending: 1 })).toEqual([
      'Starting',
      '1 of 2 instances are ready',
    ]);
    expect(word({ wanted: 2, running: 0, failed: 2, message: 'exit code 3' })).toEqual([
      'Failed',
      'exit code 3',
    ]);
    expect(word({ revision: 1, running: 1 }, 2)[0]).toBe('Updating');
    expect(statusOf(situation({})).status).toBe('Starting');
  });

  it('is Pending when all that is not ready waits for something that is missing', () => {
    const message = 'needs 4 cores, 1.5 of 8 are free';
    const waiting = { running: 0, pending: 2, waiting: 2, message };
    expect(word({ wanted: 2, ...waiting })).toEqual(['Pending', message]);
    expect(word({ wanted: 3, ...waiting, running: 1 })).toEqual(['Pending', message]);
    expect(word({ wanted: 3, ...waiting, pending: 3 })[0]).toBe('Starting');
    const rollout = { state: 'rolling', text: '0 of 2 are new' } as const;
    expect(word({ wanted: 2, ...waiting, rollout })).toEqual([
      'Updating',
      `0 of 2 are new; ${message}`,
    ]);
  });

  it('says what of a service that is being stopped still goes on, and nothing else', () => {
    const leaving = { ...ready, running: 0, leaving: 2 };
    const text = (report: RuntimeReport, leased: number): string =>
      statusOf(situation({ phase: 'stopping', report, leased })).message;
    expect(text(leaving, 3)).toBe('2 instances are finishing work');
    expect(text(leaving, 0)).toBe('2 instances are ending');
    const none = { ...leaving, leaving: 0 };
    expect(text(none, 0)).toBe('');
    expect(text(none, 2)).toBe(
      '2 requests are still being worked on outside of the instances that Sluice runs',
    );
  });

  it('says that instances are leaving when none is wanted', () => {
    const file = { endpoint: 'http://h', metadata: { instance: 0 } };
    const report = { ...ready, running: 1 };
    expect(statusOf(situation({ file, report }))).toEqual({
      status: 'Scaling',
      message: '1 instance is leaving',
    });
    expect(statusOf(situation({ file })).status).toBe('Running');
  });

  it('puts what goes wrong first', () => {
    expect(statusOf(situation({ phase: 'creating' })).status).toBe('Creating');
    expect(statusOf(situation({ fault: 'x' }))).toEqual({ status: 'Failed', message: 'x' });
    expect(statusOf(situation({ phase: 'deleting', fault: 'y' }))).toEqual({
      status: 'DeleteFailed',
      message: 'y',
    });
  });
});

const ready: RuntimeReport = {
  revision: 1,
  wanted: 1,
  running: 1,
  pending: 0,
  waiting: 0,
  failed: 0,
  leaving: 0,
  rollout: { state: 'done' },
  message: '',
};

interface Parts {
  readonly file?: File;
  readonly phase?: Situation['phase'];
  readonly fault?: string;
  readonly report?: RuntimeReport;
  readonly revision?: number;
  readonly leased?: number;
}

function situation({ file, phase, fault, report, revision, leased }: Parts): Situation {
  const isQueuesOnly = file?.labels !== undefined;
  const input = isQueuesOnly ? { metadata: { name: 'a', instance: 0 } } : base(file ?? {});
  const { spec } = parsed(input);
  return {
    name: 'a',
    phase: phase ?? 'live',
    fault,
    revision: revision ?? 1,
    spec,
    wanted: spec.instances.count,
    isScaled: false,
    leased: leased ?? 0,
    note: undefined,
    report,
  };
}

function word(report: Partial<RuntimeReport>, revision = 1): readonly [string, string] {
  const { status, message } = statusOf(situation({ report: { ...ready, ...report }, revision }));
  return [status, message];
}
