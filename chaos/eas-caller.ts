// The EAS queue protocol over plain fetch: the load of the harness that shares no code with Sluice.

export type QueueName = 'input' | 'sink' | 'rear';

export interface Frame {
  readonly index: number;
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface EasCallerOptions {
  readonly url: string;
  readonly service: string;
  readonly token?: string;
  /** Who commits and watches. */
  readonly uid?: string;
  readonly gid?: string;
  /** After which a call is given up; what became of it is then unknown. */
  readonly timeoutMs?: number;
}

/** An answer that is not 200 or 204. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(`${status}: ${text}`);
    this.status = status;
  }
}

const timeoutMsDefault = 10_000;

export class EasCaller {
  readonly #options: EasCallerOptions;

  constructor(options: EasCallerOptions) {
    this.#options = options;
  }

  /** The index in the input queue. */
  async put(id: string, body: string): Promise<number> {
    const query = `requestId=${encodeURIComponent(id)}`;
    return Number(await this.#call('input', query, { method: 'POST', body }));
  }

  /** The index in the sink. */
  async putResult(id: string, body: string): Promise<number> {
    const query = `requestId=${encodeURIComponent(id)}`;
    return Number(await this.#call('sink', query, { method: 'POST', body }));
  }

  /** From that index on, at most so many; they stay in the queue unless `autoDelete`. */
  async list(queue: QueueName, how: ListOptions): Promise<readonly Frame[]> {
    const { from = 0, length, waitMs = 0, autoDelete = false } = how;
    const range = `_index_=${from}&_length_=${length}&_timeout_=${waitMs}ms`;
    const query = `${range}&_auto_delete_=${autoDelete}&_raw_=false`;
    return framesOf(await this.#call(queue, query, { method: 'GET' }));
  }

  async remove(queue: QueueName, indexes: readonly number[]): Promise<void> {
    await this.#call(queue, `_indexes_=${indexes.join(',')}`, { method: 'DELETE' });
  }

  async commit(queue: QueueName, indexes: readonly number[]): Promise<void> {
    await this.#call(queue, `_indexes_=${indexes.join(',')}`, { method: 'PUT' });
  }

  async length(queue: QueueName): Promise<number> {
    return (await this.attributes(queue))['stream.length'] ?? Number.NaN;
  }

  /** Those that are numbers. */
  async attributes(queue: QueueName): Promise<Readonly<Record<string, number>>> {
    const all = Object.entries(JSON.parse(await this.#call(queue, '_attrs_=true', {})));
    return Object.fromEntries(all.map(([name, value]) => [name, Number(value)]));
  }

  async #call(queue: QueueName, query: string, init: RequestInit): Promise<string> {
    const { url, service, token = '', uid, gid, timeoutMs = timeoutMsDefault } = this.#options;
    const address = `${url}/api/predict/${service}${queue === 'sink' ? '/sink' : ''}?${query}`;
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (token !== '') headers.Authorization = token;
    if (uid !== undefined) headers['X-EAS-QueueService-Redis-Uid'] = uid;
    if (gid !== undefined) headers['X-EAS-QueueService-Redis-Gid'] = gid;
    if (queue === 'rear') headers['X-EAS-QueueService-Access-Rear'] = 'true';
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(address, { ...init, headers, signal });
    const text = await response.text();
    if (response.status !== 200 && response.status !== 204) {
      throw new Refusal(response.status, text);
    }
    return text;
  }
}

export interface ListOptions {
  readonly from?: number;
  readonly length: number;
  readonly waitMs?: number;
  readonly autoDelete?: boolean;
}

/** The protocol's JSON list of frames. */
export function framesOf(text: string): readonly Frame[] {
  if (text === '') return [];
  // The shape is that of the protocol's documentation; a wrong one fails the scenario.
  const frames = JSON.parse(text) as { index: number; tags: Frame['tags']; data?: string }[];
  return frames.map(({ index, tags, data = '' }) => ({
    index,
    id: tags.requestId ?? '',
    tags,
    text: Buffer.from(data, 'base64').toString(),
  }));
}
