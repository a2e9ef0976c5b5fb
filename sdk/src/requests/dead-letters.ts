// The requests of a service that are out of deliveries: seen, put again, dropped, taken along.

import { PlatformError } from '../errors.ts';
import type { TagsInput } from '../queue-client.ts';
import { valuesOf } from './batch.ts';
import type {
  DeadDescription,
  DeadExport,
  DeadInfo,
  DeadList,
  RedriveStep,
  RedriveWish,
  RequestInfo,
} from './request-info.ts';
import type { RequestTransport } from './request-transport.ts';
import { type RequestResult, resultOf } from './result.ts';
import { bodyOf, type RequestBody, tagsText } from './submission.ts';

interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** What differs from the dead request; all else is as it was. */
export interface RedriveOptions extends Abortable {
  readonly body?: RequestBody | undefined;
  readonly contentType?: string | undefined;
  readonly tags?: TagsInput | undefined;
  readonly priority?: number | undefined;
}

export class DeadLetters {
  readonly #transport: RequestTransport;

  constructor(transport: RequestTransport) {
    this.#transport = transport;
  }

  /** All of them, the newest first, page after page. */
  async *list({ signal }: Abortable = {}): AsyncGenerator<DeadInfo> {
    let cursor: string | null = null;
    do {
      const page: DeadList = await this.page({ cursor: cursor ?? undefined, signal });
      yield* page.dead;
      cursor = page.next;
    } while (cursor !== null);
  }

  /** One page of the list. */
  page({
    limit,
    cursor,
    signal,
  }: Abortable & {
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  } = {}): Promise<DeadList> {
    const query = new URLSearchParams();
    if (limit !== undefined) query.set('limit', String(limit));
    if (cursor !== undefined) query.set('cursor', cursor);
    const path = `/dead${query.size === 0 ? '' : `?${query}`}`;
    return this.#transport.json({ method: 'GET', path, repeat: 'always', signal });
  }

  /** One of them, with what its last instance wrote. */
  look(rearIndex: number, { signal }: Abortable = {}): Promise<DeadDescription> {
    const path = `/dead/${rearIndex}`;
    return this.#transport.json({ method: 'GET', path, repeat: 'always', signal });
  }

  /** The body that it was submitted with, whole in memory. */
  async payload(rearIndex: number, options: Abortable = {}): Promise<Uint8Array> {
    return (await this.open(rearIndex, options)).bytes();
  }

  /** The body that it was submitted with, of any size, to be read as it comes. */
  async open(rearIndex: number, { signal }: Abortable = {}): Promise<RequestResult> {
    const path = `/dead/${rearIndex}/payload`;
    const transport = this.#transport;
    const ask = (): Promise<Response> =>
      transport.call({ method: 'GET', path, repeat: 'always', signal });
    const id = `dead ${rearIndex}`;
    return resultOf({ id, response: await ask(), transport, again: ask, signal });
  }

  /**
   * Puts it again as a new request, changed or as it was, and takes it from the dead. A call whose
   * answer was lost is not repeated: `not_found` then means that it was done.
   */
  redrive(rearIndex: number, options: RedriveOptions = {}): Promise<RequestInfo> {
    const { body, contentType, tags, priority, signal } = options;
    const sent = body === undefined ? undefined : bodyOf(body);
    const type = contentType ?? sent?.type;
    const labels = tagsText(tags);
    return this.#transport.json({
      method: 'POST',
      path: `/dead/${rearIndex}/redrive`,
      headers: {
        ...(type === undefined ? {} : { 'Content-Type': type }),
        ...(labels === undefined ? {} : { 'Sluice-Tags': labels }),
        ...(priority === undefined ? {} : { 'Sluice-Priority': String(priority) }),
      },
      body: sent?.bytes,
      repeat: 'unchanged',
      signal,
    });
  }

  /** Puts many again, at a rate if one is given. The last step has the sums; `unavailable` when
   * the answer is cut before: call it again, those that are done are no longer among the dead. */
  async *redriveMany(
    wish: RedriveWish = {},
    { signal }: Abortable = {},
  ): AsyncGenerator<RedriveStep> {
    const response = await this.#transport.call({
      method: 'POST',
      path: '/dead/redrive',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(wish),
      repeat: 'unchanged',
      signal,
    });
    for await (const step of valuesOf<RedriveStep>(this.#transport, response, signal)) {
      yield step;
      if (step.kind === 'done') return;
    }
    signal?.throwIfAborted();
    throw new PlatformError('unavailable', 'The answer of the server was cut.');
  }

  /** Deletes it for good. */
  async drop(rearIndex: number, { signal }: Abortable = {}): Promise<void> {
    const path = `/dead/${rearIndex}`;
    await this.#transport.text({ method: 'DELETE', path, repeat: 'unchanged', signal });
  }

  /** All of them with their bodies; `unavailable` when the answer is cut. */
  async *export({ signal }: Abortable = {}): AsyncGenerator<DeadExport> {
    const path = '/dead/export';
    const response = await this.#transport.call({ method: 'GET', path, repeat: 'always', signal });
    yield* valuesOf<DeadExport>(this.#transport, response, signal);
  }
}
