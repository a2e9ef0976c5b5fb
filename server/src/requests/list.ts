// Requests of one service, newest first: those that wait or run and those at rest, merged by index
// in bounded steps.

import type { Known, Requests } from '../broker/requests.ts';
import type { RequestRecord } from '../queue/record.ts';
import type { ListFilter, RequestPage, RequestView } from './request.ts';

/** Indexes looked at in one step, and steps of one call: what is left is for the next page. */
const stepIndexes = 256;
const stepsMax = 64;
/** Requests of one page. */
export const pageMax = 1_000;

/** One page. `show` makes the view of one of them. */
export async function listRequests(
  requests: Requests,
  filter: ListFilter,
  show: (known: Known) => RequestView,
): Promise<RequestPage> {
  const limit = Math.min(filter.limit, pageMax);
  const found: RequestView[] = [];
  const last = requests.lastIndex();
  let below = filter.below === 0 ? last + 1 : Math.min(filter.below, last + 1);
  const first = await firstIndex(requests);
  for (let step = 0; step < stepsMax && below > first; step += 1) {
    const from = Math.max(first, below - stepIndexes);
    for (const known of await within(requests, from, below)) {
      const view = show(known);
      if (filter.from > 0 && view.acceptedAt < filter.from) return { requests: found, next: 0 };
      if (!matches(view, filter)) continue;
      found.push(view);
      if (found.length === limit) return { requests: found, next: next(view.index, first) };
    }
    below = from;
  }
  return { requests: found, next: next(below, first) };
}

function next(below: number, first: number): number {
  return below > first ? below : 0;
}

/** The lowest index of which anything is known. */
async function firstIndex(requests: Requests): Promise<number> {
  const [record] = await requests.records(0, 1);
  return Math.min(record?.index ?? Number.POSITIVE_INFINITY, requests.firstLive());
}

/** Newest first. What comes to rest between the two looks is shown at rest. */
async function within(requests: Requests, from: number, below: number): Promise<Known[]> {
  const byIndex = new Map<number, Known>();
  for (const known of await requests.live(from, below)) {
    if (known.kind === 'live') byIndex.set(known.meta.index, known);
  }
  const records: readonly RequestRecord[] = await requests.records(from, stepIndexes);
  for (const record of records) {
    if (record.index < below) byIndex.set(record.index, { kind: 'rested', record });
  }
  return [...byIndex].sort((left, right) => right[0] - left[0]).map(([, known]) => known);
}

function matches(view: RequestView, filter: ListFilter): boolean {
  const { states, cause, tags, owner, requestId, to } = filter;
  if (states.length > 0 && !states.includes(view.state)) return false;
  if (cause !== undefined && view.cause !== cause) return false;
  if (owner !== undefined && view.owner !== owner.name) return false;
  if (requestId !== undefined && view.requestId !== requestId) return false;
  if (to > 0 && view.acceptedAt >= to) return false;
  for (const [name, value] of tags) if (view.tags.get(name) !== value) return false;
  return true;
}
