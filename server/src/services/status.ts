// One word for how a service does, in the words of EAS, and a sentence where one is needed.

import type { ServiceStatus } from '@sluice/sdk/wire';
import type { RuntimeReport } from '../deployment/service.ts';
import type { ServiceSpec } from './spec.ts';

export interface StatusView {
  readonly status: ServiceStatus;
  /** What is missing or wrong, or what one should know; empty when all is well. */
  readonly message: string;
}

export interface Situation {
  readonly name: string;
  readonly phase: 'creating' | 'live' | 'stopping' | 'stopped' | 'deleting';
  /** Why the service can't work at all; undefined when it can. */
  readonly fault: string | undefined;
  readonly revision: number;
  readonly spec: ServiceSpec | undefined;
  /** Instances that are wanted now. */
  readonly wanted: number;
  /** The number of instances is what was changed last. */
  readonly isScaled: boolean;
  /** What one should know of the declaration itself. */
  readonly note: string | undefined;
  /** Requests that are being worked on, by whomever; looked at while it is being stopped. */
  readonly leased: number;
  /** undefined: nothing is known of its instances yet. */
  readonly report: RuntimeReport | undefined;
}

export function statusOf(situation: Situation): StatusView {
  const { phase, fault, spec, name } = situation;
  if (phase === 'deleting') {
    return fault === undefined
      ? { status: 'Deleting', message: '' }
      : { status: 'DeleteFailed', message: fault };
  }
  if (phase === 'stopped')
    return { status: 'Stopped', message: `start it with: sluice start ${name}` };
  if (fault !== undefined || spec === undefined) {
    return { status: 'Failed', message: fault ?? '' };
  }
  if (phase === 'creating') return { status: 'Creating', message: '' };
  if (phase === 'stopping') return { status: 'Stopping', message: leavingText(situation) };
  const { source } = spec.instances;
  if (source.kind === 'none') return { status: 'Running', message: 'queues only' };
  if (source.kind === 'pending' && situation.wanted > 0) {
    return { status: 'Pending', message: source.missing };
  }
  return fromReport(situation);
}

function leavingText({ report, leased }: Situation): string {
  const left = leftOf(report);
  if (left > 0) return `${instances(left)} ${leased > 0 ? 'finishing work' : 'ending'}`;
  if (report === undefined || leased === 0) return '';
  const requests = leased === 1 ? 'one request is' : `${leased} requests are`;
  return `${requests} still being worked on outside of the instances that Sluice runs`;
}

/** Instances that are not gone yet, those that are not wanted included. */
export function leftOf(report: RuntimeReport | undefined): number {
  if (report === undefined) return 0;
  return report.running + report.pending + report.failed + report.leaving;
}

function fromReport({ wanted, ...situation }: Situation): StatusView {
  const { report, note = '', revision, isScaled, spec } = situation;
  if (wanted === 0) {
    const left = leftOf(report);
    if (left > 0) return { status: 'Scaling', message: `${instances(left)} leaving` };
    const isAsleep = spec?.scaling !== undefined;
    const none = isAsleep ? 'scaled to 0; the next request starts one' : 'no instances are wanted';
    return { status: 'Running', message: note === '' ? none : `${none}; ${note}` };
  }
  if (report === undefined) return { status: 'Starting', message: note };
  const { running, waiting, failed, rollout } = report;
  const share = `${running} of ${report.wanted} instances are ready`;
  const message = report.message === '' ? share : report.message;
  if (rollout.state === 'failed') return { status: 'Failed', message: rollout.reason };
  if (rollout.state === 'rolling') {
    const trouble = report.message === '' ? '' : `; ${report.message}`;
    return { status: 'Updating', message: `${rollout.text}${trouble}` };
  }
  if (report.revision < revision) return { status: 'Updating', message };
  if (running >= report.wanted) {
    return { status: 'Running', message: report.message === '' ? note : report.message };
  }
  if (running === 0 && failed > 0) return { status: 'Failed', message };
  if (running + waiting >= report.wanted) return { status: 'Pending', message };
  return { status: isScaled && running > 0 ? 'Scaling' : 'Starting', message };
}

function instances(count: number): string {
  return count === 1 ? '1 instance is' : `${count} instances are`;
}
