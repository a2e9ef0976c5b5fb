// An engine whose disk misbehaves on command, for the simulation and for tests: full disks, lost
// acknowledgements, flushes that happen when the test says so, and crashes that lose the tail.

import type { MessageMeta, StoredMessage } from '../queue/message.ts';
import type { RequestRecord } from '../queue/record.ts';
import type { OutboxEntry } from '../queue/transition.ts';
import type {
  AppendOutcome,
  Batch,
  Departure,
  Engine,
  EngineCapabilities,
  MessageRef,
  Row,
  ServiceDefinition,
} from './engine.ts';

/** What befalls one append. */
export type Fault =
  | 'none'
  /** Refused, nothing written. */
  | 'full'
  /** Written, but the answer is `unknown`. */
  | 'unknownWritten'
  /** Not written, and the answer is `unknown`. */
  | 'unknownLost';

export interface FaultyOptions {
  /** The engine that keeps what is flushed; it outlives every crash. */
  readonly inner: Engine;
  /** Asked when an append is flushed. Without it nothing goes wrong. */
  readonly fault?: (batch: Batch) => Fault;
  /** Called after each append with how many wait for `release`. With it, appends become durable
   * only by `release`; without it, at once. */
  readonly onWaiting?: (waiting: number) => void;
  /** Answers `hasRoom`. */
  readonly hasRoom?: () => boolean;
}

interface Waiting {
  readonly batch: Batch;
  readonly settle: (outcome: AppendOutcome) => void;
  readonly fail: (error: unknown) => void;
}

const never = new Promise<never>(() => undefined);

export class FaultyEngine implements Engine {
  readonly capabilities: EngineCapabilities;
  readonly #options: FaultyOptions;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> = Promise.resolve();
  #crashed = false;

  constructor(options: FaultyOptions) {
    this.#options = options;
    this.capabilities = {
      ...options.inner.capabilities,
      survivesProcess: true,
      losesAcknowledgements: true,
    };
  }

  async start(): Promise<void> {
    await this.#options.inner.start();
  }

  async stop(): Promise<void> {
    if (!this.#crashed) await this.release();
  }

  append(batch: Batch): Promise<AppendOutcome> {
    if (this.#crashed) return never;
    const answer = new Promise<AppendOutcome>((settle, fail) => {
      this.#waiting.push({ batch, settle, fail });
    });
    if (this.#options.onWaiting === undefined) void this.release();
    else this.#options.onWaiting(this.#waiting.length);
    return answer;
  }

  /** How many appends wait for `release`. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Flushes the first `count` waiting appends in order (all without a count) and answers them. */
  release(count: number = this.#waiting.length): Promise<void> {
    const flushed = this.#waiting.splice(0, count);
    this.#flushing = this.#flushing.then(async () => {
      for (const waiting of flushed) await this.#flush(waiting);
    });
    return this.#flushing;
  }

  /**
   * The process dies. Of the appends that wait, the first `kept` have reached the disk, unanswered;
   * the others are lost. Everything that was or will be asked of this object stays unanswered for
   * ever; the engine of the next life is the result, on what the disk holds.
   */
  async crash(kept: number): Promise<FaultyEngine> {
    this.#crashed = true;
    const tail = this.#waiting;
    this.#waiting = [];
    await this.#flushing;
    for (const { batch } of tail.slice(0, kept)) await this.#options.inner.append(batch);
    return new FaultyEngine(this.#options);
  }

  async *recover(service: number): AsyncIterable<readonly Row[]> {
    if (this.#crashed) await never;
    yield* this.#options.inner.recover(service);
  }

  payloads(refs: readonly MessageRef[]): Promise<readonly (StoredMessage | undefined)[]> {
    return this.#crashed ? never : this.#options.inner.payloads(refs);
  }

  metas(refs: readonly MessageRef[]): Promise<readonly (MessageMeta | undefined)[]> {
    return this.#crashed ? never : this.#options.inner.metas(refs);
  }

  records(service: number, from: number, limit: number): Promise<readonly RequestRecord[]> {
    return this.#crashed ? never : this.#options.inner.records(service, from, limit);
  }

  recordResult(service: number, index: number): Promise<Uint8Array | undefined> {
    return this.#crashed ? never : this.#options.inner.recordResult(service, index);
  }

  checkpoint(service: number, index: number): Promise<Uint8Array | undefined> {
    return this.#crashed ? never : this.#options.inner.checkpoint(service, index);
  }

  outbox(service: number, from: number, limit: number): Promise<readonly OutboxEntry[]> {
    return this.#crashed ? never : this.#options.inner.outbox(service, from, limit);
  }

  departure(service: number, index: number): Promise<Departure | undefined> {
    return this.#crashed ? never : this.#options.inner.departure(service, index);
  }

  hasRoom(): boolean {
    return this.#options.hasRoom?.() ?? true;
  }

  definitions(): Promise<readonly ServiceDefinition[]> {
    return this.#crashed ? never : this.#options.inner.definitions();
  }

  saveDefinition(definition: ServiceDefinition): Promise<void> {
    return this.#crashed ? never : this.#options.inner.saveDefinition(definition);
  }

  dropService(service: number): Promise<void> {
    return this.#crashed ? never : this.#options.inner.dropService(service);
  }

  async #flush({ batch, settle, fail }: Waiting): Promise<void> {
    try {
      const outcome = await this.#write(batch);
      if (!this.#crashed) settle(outcome);
    } catch (error) {
      fail(error);
    }
  }

  async #write(batch: Batch): Promise<AppendOutcome> {
    const fault = this.#options.fault?.(batch) ?? 'none';
    switch (fault) {
      case 'none':
        return this.#options.inner.append(batch);
      case 'full':
        return { kind: 'refused', why: 'full' };
      case 'unknownLost':
        return { kind: 'unknown' };
      case 'unknownWritten': {
        const outcome = await this.#options.inner.append(batch);
        return outcome.kind === 'durable' ? { kind: 'unknown' } : outcome;
      }
    }
  }
}
