// The calls on one queue over the stream protocol.

import { PlatformError } from '../errors.ts';
import {
  bytesOf,
  checkHead,
  checkIndex,
  checkWhole,
  indexesOf,
  labelsOf,
  putAll,
} from '../inputs.ts';
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
import type { RequestEvent } from '../requests/request-info.ts';
import type { Fetched, ServerOperation } from '../stream/operations.ts';
import { noTags, type Tags } from '../tags.ts';
import { EventStream, type FollowOptions } from './event-stream.ts';
import type { NumberedOperation } from './pending.ts';
import type { StreamSession } from './session.ts';
import { StreamWatch } from './watch.ts';

/** Enough to fill the server's turns. */
const putConcurrency = 1024;

const noOptions = {} as const;

export class StreamQueueClient implements QueueClient {
  readonly service: string;
  readonly queue: QueueKind;
  readonly #session: StreamSession;
  readonly #channel: number;

  constructor(options: {
    readonly session: StreamSession;
    readonly service: string;
    readonly queue: QueueKind;
    readonly channel: number;
  }) {
    this.service = options.service;
    this.queue = options.queue;
    this.#session = options.session;
    this.#channel = options.channel;
  }

  /** The events of a request, on the channel of the input. */
  events(id: string, { after = '', signal }: FollowOptions = {}): AsyncGenerator<RequestEvent> {
    return new EventStream(this.#session, this.#channel, id, after).read(signal);
  }

  put(payload: Payload, options: PutOptions = noOptions): Promise<PutAnswer> {
    try {
      return this.#put(payload, options);
    } catch (error) {
      // What an async function does, but that takes two promises more for each message.
      return Promise.reject(error);
    }
  }

  #put(payload: Payload, options: PutOptions): Promise<PutAnswer> {
    const session = this.#session;
    const bytes = bytesOf(payload);
    const { tags, id: given } = labelsOf(options);
    const { priority = 0, path, contentType } = options;
    checkHead(tags, given, path, contentType);
    checkWhole('A priority', priority, 0);
    // With an id of its own a put to the input can be repeated safely after a lost connection.
    const id = given ?? (this.queue === 'input' ? session.platform.random.id() : '');
    const operation = {
      kind: 'put',
      number: session.number(),
      channel: this.#channel,
      id,
      tags,
      priority,
      path,
      contentType,
      payload: bytes,
      transfer: 0,
      size: bytes.length,
    } as const;
    const repeatable = this.queue === 'input';
    return session.call({ operation, payload: bytes, repeatable, options, take: putAnswerOf });
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
    const session = this.#session;
    const { from = 0, length = 1, waitMs = 0, autoDelete = true } = options;
    checkIndex(from, -1);
    const { tags, id = '' } = labelsOf(options);
    const number = session.number();
    const channel = this.#channel;
    const timeoutMs = Math.max(0, Math.round(waitMs));
    const take = (_: ServerOperation, messages: readonly Fetched[]): Message[] => {
      if (autoDelete && messages.length > 0) session.say({ kind: 'taken', number });
      return messages.map(messageOf);
    };
    return session.call({
      operation: { kind: 'get', number, channel, from, length, timeoutMs, autoDelete, tags, id },
      repeatable: true,
      waitMs,
      options,
      take,
    });
  }

  watch(options: WatchOptions = {}): Watch {
    return new StreamWatch(this.#session, this.#channel, options);
  }

  async commit(indexes: number | readonly number[], options?: CallOptions): Promise<void> {
    return this.#change(
      { kind: 'commitIndexes', ...this.#call(), indexes: indexesOf(indexes) },
      options,
    );
  }

  async negative(
    indexes: number | readonly number[],
    options: NegativeOptions = {},
  ): Promise<void> {
    const { code = '', reason = '' } = options;
    const operation = { kind: 'negative', ...this.#call(), indexes: indexesOf(indexes) } as const;
    // Repeating it could count a second delivery as bad.
    return this.#change({ ...operation, code, reason }, options, false);
  }

  async search(index: number, options?: CallOptions): Promise<SearchAnswer | undefined> {
    checkIndex(index, 0);
    const take = (answer: ServerOperation): SearchAnswer => {
      if (answer.kind !== 'found') throw unexpected(answer);
      const { consumerId, isPending, waitCount } = answer;
      return { consumerId, isPending, waitCount };
    };
    const operation = { kind: 'search', ...this.#call(), index } as const;
    try {
      return await this.#session.call({ operation, repeatable: true, options, take });
    } catch (error) {
      const unknown = error instanceof PlatformError && error.code === 'not_found';
      if (unknown && error.message === 'no data in stream') return undefined;
      throw error;
    }
  }

  async count(options: CountOptions = {}): Promise<number> {
    const { tags, id = '' } = labelsOf(options);
    const { priority } = options;
    const take = (answer: ServerOperation): number => {
      if (answer.kind !== 'counted') throw unexpected(answer);
      return answer.value;
    };
    const operation = { kind: 'count', ...this.#call(), tags, id, priority } as const;
    return this.#session.call({ operation, repeatable: true, options, take });
  }

  attributes(options?: CallOptions): Promise<Tags> {
    const operation = { kind: 'attributes', ...this.#call() } as const;
    const take = (answer: ServerOperation): Tags =>
      answer.kind === 'described' ? answer.attributes : noTags;
    return this.#session.call({ operation, repeatable: true, options, take });
  }

  async delete(indexes: number | readonly number[], options?: CallOptions): Promise<void> {
    return this.#change({ kind: 'delete', ...this.#call(), indexes: indexesOf(indexes) }, options);
  }

  async truncate(below: number, options?: CallOptions): Promise<void> {
    checkIndex(below, 0);
    return this.#change({ kind: 'truncate', ...this.#call(), index: below }, options);
  }

  end(options: CallOptions & { readonly force?: boolean } = {}): Promise<void> {
    return this.#change({ kind: 'end', ...this.#call(), force: options.force ?? false }, options);
  }

  #call(): { readonly number: number; readonly channel: number } {
    return { number: this.#session.number(), channel: this.#channel };
  }

  #change(
    operation: NumberedOperation,
    options: CallOptions | undefined,
    repeatable = true,
  ): Promise<void> {
    return this.#session.call({ operation, repeatable, options, take: () => undefined });
  }
}

function putAnswerOf(
  answer: ServerOperation,
  _: readonly Fetched[],
  operation: NumberedOperation,
): PutAnswer {
  if (answer.kind !== 'putDone' || operation.kind !== 'put') throw unexpected(answer);
  const { index, repeated } = answer;
  return { index, id: answer.id === '' ? operation.id : answer.id, repeated };
}

function messageOf(fetched: Fetched): Message {
  const { index, id, tags, payload, priority, acceptedAt, contentType, path } = fetched;
  return { index, id, tags, payload, priority, acceptedAt, contentType, path };
}

function unexpected(answer: ServerOperation): PlatformError {
  return new PlatformError('internal', `The server answered with ${answer.kind}.`);
}
