// A request as its owner sees it, made of what the rules and the record know.

import type { Known } from '../broker/requests.ts';
import { readAfterwards } from '../queue/afterwards.ts';
import type { RequestRecord } from '../queue/record.ts';
import { bodySize, readTerms } from '../queue/terms.ts';
import { publicId } from './ids.ts';
import type { CancelFacts, Estimate, RequestView, WaitReason } from './request.ts';

/** What is told about a request that is not at rest, beyond where it stands. */
export interface Telling {
  readonly why: WaitReason | undefined;
  readonly estimate: Estimate | undefined;
  /** Wall clock of the first output of the attempt under way; 0 = none yet. */
  readonly firstOutputAt: number;
  /** The latest progress text. */
  readonly progress: string | undefined;
}

/** The view of a request that waits or runs. */
export function liveView(
  service: string,
  { meta, standing }: Extract<Known, { kind: 'live' }>,
  telling: Telling,
): RequestView {
  const { mark, isRunning } = standing;
  const terms = readTerms(meta.terms);
  const { delayUntil, finishBy, callback } = terms;
  return {
    id: publicId(meta.index, meta.id),
    index: meta.index,
    requestId: meta.id,
    service,
    state: isRunning ? 'running' : 'queued',
    cause: undefined,
    why: telling.why,
    position: isRunning ? undefined : standing.position,
    estimate: telling.estimate,
    acceptedAt: meta.acceptedAt,
    firstDeliveredAt: mark?.firstDeliveredAt ?? 0,
    lastDeliveredAt: mark?.deliveredAt ?? 0,
    firstOutputAt: telling.firstOutputAt,
    doneAt: 0,
    retainUntil: 0,
    instance: mark?.uid ?? '',
    revision: mark?.revision ?? 0,
    deliveries: mark?.deliveries ?? 0,
    outcomes: mark?.outcomes ?? [],
    code: '',
    reason: '',
    sizeIn: bodySize(meta.size, terms),
    sizeOut: 0,
    priority: meta.priority,
    tags: meta.tags,
    owner: meta.owner,
    path: meta.path,
    home: meta.home,
    idempotencyKey: meta.idempotencyKey,
    delayUntil,
    finishBy,
    callback,
    cancel: undefined,
    redriveOf: meta.source,
    redrivenAs: 0,
    progress: telling.progress,
  };
}

/** The view of a request at rest. */
export function restedView(service: string, record: RequestRecord): RequestView {
  const terms = readTerms(record.terms);
  const { delayUntil, finishBy, callback } = terms;
  return {
    id: publicId(record.index, record.id),
    index: record.index,
    requestId: record.id,
    service,
    state: record.state,
    cause: record.cause,
    why: undefined,
    position: undefined,
    estimate: undefined,
    acceptedAt: record.acceptedAt,
    firstDeliveredAt: record.firstDeliveredAt,
    lastDeliveredAt: record.lastDeliveredAt,
    firstOutputAt: record.firstOutputAt,
    doneAt: record.doneAt,
    retainUntil: record.retainUntil,
    instance: record.uid,
    revision: record.revision,
    deliveries: record.deliveries,
    outcomes: record.outcomes,
    code: record.code,
    reason: record.reason,
    sizeIn: bodySize(record.sizeIn, terms),
    sizeOut: record.sizeOut,
    priority: record.priority,
    tags: record.tags,
    owner: record.owner,
    path: record.path,
    home: record.home,
    idempotencyKey: record.idempotencyKey,
    delayUntil,
    finishBy,
    callback,
    cancel: cancelOf(record),
    redriveOf: record.source,
    redrivenAs: readAfterwards(record.after).redrivenAs ?? 0,
    progress: undefined,
  };
}

/** When a request that was taken out really ended: only what was observed is said. */
function cancelOf(record: RequestRecord): CancelFacts | undefined {
  if (record.cause !== 'canceled' && record.cause !== 'deadline') return undefined;
  const { wasRunning = false, freedAt } = readAfterwards(record.after);
  const requestedAt = record.doneAt;
  if (!wasRunning) return { requestedAt, effectiveAt: requestedAt, wastedMs: 0 };
  const wastedMs = freedAt === undefined ? undefined : Math.max(0, freedAt - requestedAt);
  return { requestedAt, effectiveAt: freedAt, wastedMs };
}
