// A request as JSON: what the request API says of it. The types are those that the SDK publishes.

import type {
  DeadInfo,
  DeliveryInfo,
  EstimateInfo,
  RequestInfo,
  RequestLinks,
  Tags,
} from '@sluice/sdk/wire';
import type { DeliveryOutcome } from '../../queue/record.ts';
import type { DeadRequest, Estimate, RequestView } from '../../requests/request.ts';

/** Where a request is, below the address of the server. */
export function pathOfRequest(service: string, id: string): string {
  return `/v1/services/${encodeURIComponent(service)}/requests/${id}`;
}

/** Where something of a dead request is, below the address of the server. */
export function pathOfDead(service: string, rearIndex: number, what: string): string {
  return `/v1/services/${encodeURIComponent(service)}/dead/${rearIndex}/${what}`;
}

/** What its owner gets to see. */
export function infoOf(view: RequestView): RequestInfo {
  const { id, service, why, callback, cancel } = view;
  return {
    id,
    service,
    index: view.index,
    requestId: view.requestId,
    state: view.state,
    cause: view.cause ?? null,
    why: why === undefined ? null : { ...why, until: instant(why.until) },
    position: view.position ?? null,
    estimate: view.estimate === undefined ? null : estimateOf(view.estimate),
    acceptedAt: new Date(view.acceptedAt).toISOString(),
    firstDeliveredAt: instant(view.firstDeliveredAt),
    lastDeliveredAt: instant(view.lastDeliveredAt),
    firstOutputAt: instant(view.firstOutputAt),
    doneAt: instant(view.doneAt),
    retainUntil: instant(view.retainUntil),
    delayUntil: instant(view.delayUntil),
    finishBy: instant(view.finishBy),
    instance: view.instance,
    revision: known(view.revision),
    deliveries: view.deliveries,
    outcomes: view.outcomes.map(deliveryOf),
    code: view.code,
    reason: view.reason,
    sizeIn: view.sizeIn,
    sizeOut: view.sizeOut,
    priority: view.priority,
    tags: plainTags(view.tags),
    owner: view.owner ?? null,
    path: view.path ?? null,
    home: view.home,
    idempotencyKey: view.idempotencyKey ?? null,
    callback: callback === undefined ? null : { url: callback.url, events: callback.events },
    cancel:
      cancel === undefined
        ? null
        : {
            requestedAt: new Date(cancel.requestedAt).toISOString(),
            effectiveAt: instant(cancel.effectiveAt ?? 0),
            unconfirmed: cancel.effectiveAt === undefined,
            wastedMs: cancel.wastedMs ?? null,
          },
    redriveOf: known(view.redriveOf),
    redrivenAs: known(view.redrivenAs),
    progress: view.progress ?? null,
    links: linksOf(service, id),
  };
}

/** A dead request as the rear queue has it. */
export function deadInfoOf(dead: DeadRequest): DeadInfo {
  const { diedAt, expiresAt, contentType, path, tags, owner, outcomes, ...rest } = dead;
  return {
    ...rest,
    diedAt: new Date(diedAt).toISOString(),
    expiresAt: instant(expiresAt),
    contentType: contentType ?? null,
    path: path ?? null,
    tags: plainTags(tags),
    owner: owner ?? null,
    outcomes: outcomes.map(deliveryOf),
  };
}

function linksOf(service: string, id: string): RequestLinks {
  const status = pathOfRequest(service, id);
  return {
    status,
    result: `${status}/result`,
    events: `${status}/events`,
    cancel: `${status}/cancel`,
  };
}

function deliveryOf(outcome: DeliveryOutcome): DeliveryInfo {
  const { deliveryId, uid, revision, deliveredAt, endedAt, counted, code, reason } = outcome;
  return {
    deliveryId,
    instance: uid,
    revision: known(revision),
    deliveredAt: new Date(deliveredAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
    counted,
    code,
    reason,
  };
}

function estimateOf(estimate: Estimate): EstimateInfo {
  if (estimate.kind === 'none') return estimate;
  const { kind, earliestMs, latestMs } = estimate;
  return { kind, earliestMs: Math.round(earliestMs), latestMs: Math.round(latestMs) };
}

function plainTags(tags: Tags): Readonly<Record<string, string>> {
  return Object.fromEntries(tags);
}

/** 0 stands for none. */
function known(number: number): number | null {
  return number === 0 ? null : number;
}

function instant(wall: number): string | null {
  return wall === 0 ? null : new Date(wall).toISOString();
}
