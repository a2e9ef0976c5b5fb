// The dead of a service: messages of the input's rear queue, looked at, put anew, dropped.

import type { Queues } from '../broker/queues.ts';
import type { Requests } from '../broker/requests.ts';
import type { MessageMeta } from '../queue/message.ts';
import type { RequestRecord } from '../queue/record.ts';
import { type BodyPlace, bodySize, readTerms, writeTerms } from '../queue/terms.ts';
import { publicId } from './ids.ts';
import type { DeadRequest, RedriveEdit, Submitted } from './request.ts';

export interface DeadPage {
  readonly dead: readonly DeadRequest[];
  /** `below` of the next page; 0 = there is none. */
  readonly next: number;
}

export interface DeadLook {
  readonly dead: DeadRequest;
  readonly payload: Uint8Array;
  /** Where its body lies when it is not the payload. */
  readonly body: BodyPlace | undefined;
  /** The latest lines of the instance that had it last, as far as they are known. */
  readonly log: readonly string[];
}

/** The latest lines that an instance wrote; none where nothing is known. */
export type LinesOf = (service: string, instance: string) => Promise<readonly string[]>;

const stepIndexes = 256;
const pageMax = 1_000;
/** Tags that a message gets when it dies. */
const causeTags: ReadonlySet<string> = new Set([
  'sourceIndex',
  'deliveryCount',
  'lastCode',
  'lastReason',
]);

export class DeadDesk {
  readonly #find: (service: string) => Queues;
  readonly #linesOf: LinesOf;

  /** `find` throws when the service has no queues. */
  constructor(find: (service: string) => Queues, linesOf: LinesOf = async () => []) {
    this.#find = find;
    this.#linesOf = linesOf;
  }

  /** Newest first; indexes below `below`, 0 = from the newest. */
  async list(
    service: string,
    page: { readonly below: number; readonly limit: number },
  ): Promise<DeadPage> {
    const { requests } = this.#find(service);
    const limit = Math.min(page.limit, pageMax);
    const dead: DeadRequest[] = [];
    const last = requests.lastDead();
    let below = page.below === 0 ? last + 1 : Math.min(page.below, last + 1);
    const first = this.#find(service).view('inputRear').firstIndex;
    while (first > 0 && below > first) {
      const from = Math.max(first, below - stepIndexes);
      for (const meta of [...(await requests.deadWithin(from, below))].reverse()) {
        dead.push(await describe(requests, meta));
        if (dead.length === limit) return { dead, next: meta.index > first ? meta.index : 0 };
      }
      below = from;
    }
    return { dead, next: 0 };
  }

  async look(service: string, rearIndex: number): Promise<DeadLook | undefined> {
    const { requests } = this.#find(service);
    const message = await requests.dead(rearIndex);
    if (message === undefined) return undefined;
    const dead = await describe(requests, message.meta);
    const instance = dead.outcomes.at(-1)?.uid ?? '';
    const log = instance === '' ? [] : await this.#linesOf(service, instance);
    const { body } = readTerms(message.meta.terms);
    return { dead, payload: message.payload, body, log };
  }

  /** Puts it anew and takes it out of the rear queue: both or nothing. What it was put with holds
   * again, but for its times. Rejects with `not_found` when it is not there (any more). */
  async redrive(service: string, rearIndex: number, edit: RedriveEdit): Promise<Submitted> {
    const { requests } = this.#find(service);
    const message = await requests.dead(rearIndex);
    const { meta, payload } = message ?? { meta: undefined, payload: new Uint8Array(0) };
    const terms = readTerms(meta?.terms);
    const body = edit.payload === undefined ? terms.body : edit.body;
    const answer = await requests.redrive(
      rearIndex,
      {
        payload: edit.payload ?? payload,
        id: meta?.id,
        tags: edit.tags ?? ownTags(meta?.tags ?? new Map()),
        priority: edit.priority ?? meta?.priority ?? 0,
        by: { gid: '', uid: '' },
        path: edit.path ?? meta?.path,
        contentType: edit.contentType ?? meta?.contentType,
        home: meta?.home ?? 'record',
        expiresAt: 0,
        owner: meta?.owner,
        idempotencyKey: undefined,
        terms: writeTerms({ ...terms, delayUntil: 0, finishBy: 0, body }),
      },
      meta?.source ?? 0,
    );
    const { index, id: requestId, repeated } = answer;
    return { id: publicId(index, requestId), index, requestId, repeated };
  }

  async drop(service: string, rearIndexes: readonly number[]): Promise<void> {
    await this.#find(service).delete('inputRear', rearIndexes);
  }
}

async function describe(requests: Requests, meta: MessageMeta): Promise<DeadRequest> {
  const [record]: readonly RequestRecord[] = await requests.records(meta.source, 1);
  const own = record?.index === meta.source ? record : undefined;
  return {
    rearIndex: meta.index,
    index: meta.source,
    id: publicId(meta.source, meta.id),
    requestId: meta.id,
    diedAt: meta.acceptedAt,
    expiresAt: meta.expiresAt,
    code: meta.tags.get('lastCode') ?? '',
    reason: meta.tags.get('lastReason') ?? '',
    deliveries: Number(meta.tags.get('deliveryCount') ?? 0),
    size: bodySize(meta.size, readTerms(meta.terms)),
    contentType: meta.contentType,
    path: meta.path,
    tags: ownTags(meta.tags),
    owner: meta.owner,
    outcomes: own?.outcomes ?? [],
  };
}

function ownTags(tags: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...tags].filter(([name]) => !causeTags.has(name)));
}
