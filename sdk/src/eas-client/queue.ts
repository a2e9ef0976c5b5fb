// The calls on one queue over the EAS protocol.

import { decodeAttributes, decodeFrameList } from '../data-frame.ts';
import { PlatformError } from '../errors.ts';
import { bytesOf, checkIndex, indexesOf, labelsOf, putAll } from '../inputs.ts';
import type {
  CallOptions,
  CountOptions,
  GetOptions,
  Message,
  NegativeOptions,
  Payload,
  PutAnswer,
  PutItem,
  PutOptions,
  QueueClient,
  QueueKind,
  SearchAnswer,
  Watch,
  WatchOptions,
} from '../queue-client.ts';
import type { Tags } from '../tags.ts';
import { messageOf } from './delivery.ts';
import { addLabels, type EasAnswer, type EasCall, type EasHttp } from './http.ts';
import { EasWatch } from './watch.ts';

/** As many connections as a client may reasonably open for one loop. */
const putConcurrency = 32;

const text = new TextDecoder();
const encoder = new TextEncoder();
const protobuf = { Accept: 'application/vnd.google.protobuf' };

export class EasQueueClient implements QueueClient {
  readonly service: string;
  readonly queue: QueueKind;
  readonly #http: EasHttp;
  readonly #url: string;
  readonly #isRear: boolean;
  /** Where results go. */
  readonly #sink: QueueClient | undefined;

  constructor(options: {
    readonly http: EasHttp;
    readonly service: string;
    readonly queue: QueueKind;
    readonly sink: QueueClient | undefined;
  }) {
    this.service = options.service;
    this.queue = options.queue;
    this.#http = options.http;
    this.#sink = options.sink;
    const { url } = options.http.options;
    const isSink = this.queue === 'sink' || this.queue === 'sinkRear';
    this.#url = isSink ? `${url}/sink` : url;
    this.#isRear = this.queue === 'inputRear' || this.queue === 'sinkRear';
  }

  async put(payload: Payload, options: PutOptions = {}): Promise<PutAnswer> {
    const labels = labelsOf(options);
    const query = new URLSearchParams();
    const { random } = this.#http.platform;
    const id = labels.id ?? (this.queue === 'input' ? random.id() : undefined);
    addLabels(query, { tags: labels.tags, id });
    const headers: Record<string, string> = {};
    const { contentType, priority = 0, path } = options;
    if (contentType !== undefined) headers['Content-Type'] = contentType;
    if (priority !== 0) headers['X-EAS-QueueService-Priority'] = String(priority);
    const body = bytesOf(payload);
    const answer = await this.#call({ method: 'POST', path, query, headers, body }, options);
    const index = Number(text.decode(answer.body));
    if (!Number.isSafeInteger(index)) {
      throw new PlatformError('internal', 'The answer to a put is not an index.');
    }
    return {
      index,
      id: id ?? answer.headers.get('x-eas-queueservice-request-id') ?? '',
      repeated: answer.headers.get('x-eas-queueservice-repeated') === 'true',
    };
  }

  putMany(
    items: Iterable<PutItem> | AsyncIterable<PutItem>,
    options: CallOptions & { readonly concurrency?: number } = {},
  ): Promise<PutAnswer[]> {
    const { concurrency = putConcurrency, signal, timeoutMs } = options;
    return putAll(
      items,
      (item) => this.put(item.payload, { signal, timeoutMs, ...item }),
      concurrency,
    );
  }

  async get(options: GetOptions = {}): Promise<Message[]> {
    const { from = 0, length = 1, waitMs = 0, autoDelete = true } = options;
    checkIndex(from, -1);
    const query = new URLSearchParams({
      _index_: String(from),
      _length_: String(length),
      _timeout_: `${Math.max(0, Math.round(waitMs))}ms`,
      _raw_: 'false',
      _auto_delete_: String(autoDelete),
    });
    addLabels(query, labelsOf(options));
    const answer = await this.#call({ method: 'GET', query, headers: protobuf, waitMs }, options);
    return decodeFrameList(answer.body).map(messageOf);
  }

  watch(options: WatchOptions = {}): Watch {
    return new EasWatch({
      http: this.#http,
      url: this.#url,
      isRear: this.#isRear,
      queue: this,
      sink: this.#sink,
      watch: options,
    });
  }

  async commit(indexes: number | readonly number[], options?: CallOptions): Promise<void> {
    const query = new URLSearchParams({ _indexes_: indexesOf(indexes).join(',') });
    await this.#call({ method: 'PUT', query }, options);
  }

  async negative(
    indexes: number | readonly number[],
    options: NegativeOptions = {},
  ): Promise<void> {
    const query = new URLSearchParams({
      _indexes_: indexesOf(indexes).join(','),
      _negative_: 'true',
    });
    const form = new URLSearchParams();
    if (options.code) form.append('_code_', options.code);
    if (options.reason) form.append('_reason_', options.reason);
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const body = encoder.encode(form.toString());
    await this.#call({ method: 'PUT', query, headers, body }, options);
  }

  async search(index: number, options?: CallOptions): Promise<SearchAnswer | undefined> {
    checkIndex(index, 0);
    const query = new URLSearchParams({ _search_: 'true', _index_: String(index) });
    try {
      const answer = await this.#call({ method: 'GET', query }, options);
      return searchAnswer(JSON.parse(text.decode(answer.body)));
    } catch (error) {
      const unknown = error instanceof PlatformError && error.code === 'not_found';
      if (unknown && error.message === 'no data in stream') return undefined;
      throw error;
    }
  }

  async count(options: CountOptions = {}): Promise<number> {
    const query = new URLSearchParams({ _count_: 'true' });
    if (options.priority !== undefined) query.append('_priority_', String(options.priority));
    addLabels(query, labelsOf(options));
    const answer = await this.#call({ method: 'GET', query }, options);
    return Number(text.decode(answer.body));
  }

  async attributes(options?: CallOptions): Promise<Tags> {
    const query = new URLSearchParams({ _attrs_: 'true' });
    const answer = await this.#call({ method: 'GET', query, headers: protobuf }, options);
    return decodeAttributes(answer.body);
  }

  async delete(indexes: number | readonly number[], options?: CallOptions): Promise<void> {
    const query = new URLSearchParams({ _indexes_: indexesOf(indexes).join(',') });
    await this.#call({ method: 'DELETE', query }, options);
  }

  async truncate(below: number, options?: CallOptions): Promise<void> {
    checkIndex(below, 0);
    const query = new URLSearchParams({ _index_: String(below), _trunc_: 'true' });
    await this.#call({ method: 'DELETE', query }, options);
  }

  async end(options: CallOptions & { readonly force?: boolean } = {}): Promise<void> {
    const query = new URLSearchParams({ _eos_: 'true' });
    if (options.force) query.append('_force_', 'true');
    await this.#call({ method: 'POST', query }, options);
  }

  #call(call: EasCall, options: CallOptions | undefined): Promise<EasAnswer> {
    const headers = { ...this.#http.headers(this.#isRear), ...call.headers };
    const path = call.path === undefined ? undefined : `/${call.path.replace(/^\/+/, '')}`;
    return this.#http.call(this.#url, { ...call, path, headers }, options);
  }
}

function searchAnswer(json: unknown): SearchAnswer {
  if (typeof json !== 'object' || json === null) {
    throw new PlatformError('internal', 'The answer to a search is not an object.');
  }
  const fields = new Map<string, unknown>(Object.entries(json));
  return {
    consumerId: String(fields.get('ConsumerId') ?? ''),
    isPending: fields.get('IsPending') === true,
    waitCount: Number(fields.get('WaitCount') ?? 0),
  };
}
