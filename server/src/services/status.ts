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
  readonly phase: 'creating' | 'live' | 'deleting';
  /** Why the service can't work at all; undefined when it can. */
  readonly fault: string | undefined;
  readonly revision: number;
  readonly spec: ServiceSpec | undefined;
  /** undefined: nothing is known of its instances yet. */
  readonly report: RuntimeReport | undefined;
}

export function statusOf(situation: Situation): StatusView {
  const { phase, fault, spec } = situation;
  if (phase === 'deleting') return { status: 'Deleting', message: fault ?? '' };
  if (fault !== undefined || spec === undefined) {
    return { status: 'Failed', message: fault ?? '' };
  }
  if (phase === 'creating') return { status: 'Creating', message: '' };
  const { source, count } = spec.instances;
  if (source.kind === 'none') return { status: 'Running', message: 'queues only' };
  if (source.kind === 'pending' && count > 0) return { status: 'Pending', message: source.missing };
  return fromReport(situation, count);
}

function fromReport({ revision, report }: Situation, count: number): StatusView {
  if (count === 0) {
    const left = (report?.running ?? 0) + (report?.pending ?? 0);
    if (left === 0) return { status: 'Running', message: 'no instances are wanted' };
    return { status: 'Scaling', message: `${left} instances are leaving` };
  }
  if (report === undefined) return { status: 'Starting', message: '' };
  const { running, wanted, failed } = report;
  const share = `${running} of ${wanted} instances are ready`;
  const message = report.message === '' ? share : report.message;
  if (report.revision < revision) return { status: 'Updating', message };
  if (running >= wanted) return { status: 'Running', message: report.message };
  return { status: running === 0 && failed > 0 ? 'Failed' : 'Starting', message };
}
