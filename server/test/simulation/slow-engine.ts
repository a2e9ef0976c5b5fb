// An engine whose reads take their time, as a disk's do, in an order of their own. Writes are left
// to the engine below.

import type {
  AppendOutcome,
  Batch,
  Departure,
  Engine,
  EngineCapabilities,
  MessageRef,
  Row,
  ServiceDefinition,
} from '../../src/engine/engine.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import type { MessageMeta, StoredMessage } from '../../src/queue/message.ts';
import type { RequestRecord } from '../../src/queue/record.ts';
import type { OutboxEntry } from '../../src/queue/transition.ts';
import type { SeededRandom } from './seeded-random.ts';

export class SlowEngine implements Engine {
  readonly capabilities: EngineCapabilities;
  readonly #inner: Engine;
  readonly #clock: Clock;
  readonly #random: SeededRandom;

  constructor(inner: Engine, clock: Clock, random: SeededRandom) {
    this.capabilities = inner.capabilities;
    this.#inner = inner;
    this.#clock = clock;
    this.#random = random;
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  append(batch: Batch): Promise<AppendOutcome> {
    return this.#inner.append(batch);
  }

  async *recover(service: number): AsyncIterable<readonly Row[]> {
    for await (const chunk of this.#inner.recover(service)) {
      await this.#pause();
      yield chunk;
    }
  }

  async payloads(refs: readonly MessageRef[]): Promise<readonly (StoredMessage | undefined)[]> {
    await this.#pause();
    return this.#inner.payloads(refs);
  }

  async metas(refs: readonly MessageRef[]): Promise<readonly (MessageMeta | undefined)[]> {
    await this.#pause();
    return this.#inner.metas(refs);
  }

  async records(service: number, from: number, limit: number): Promise<readonly RequestRecord[]> {
    await this.#pause();
    return this.#inner.records(service, from, limit);
  }

  async recordResult(service: number, index: number): Promise<Uint8Array | undefined> {
    await this.#pause();
    return this.#inner.recordResult(service, index);
  }

  async checkpoint(service: number, index: number): Promise<Uint8Array | undefined> {
    await this.#pause();
    return this.#inner.checkpoint(service, index);
  }

  async outbox(service: number, from: number, limit: number): Promise<readonly OutboxEntry[]> {
    await this.#pause();
    return this.#inner.outbox(service, from, limit);
  }

  async departure(service: number, index: number): Promise<Departure | undefined> {
    await this.#pause();
    return this.#inner.departure(service, index);
  }

  hasRoom(): boolean {
    return this.#inner.hasRoom();
  }

  definitions(): Promise<readonly ServiceDefinition[]> {
    return this.#inner.definitions();
  }

  saveDefinition(definition: ServiceDefinition): Promise<void> {
    return this.#inner.saveDefinition(definition);
  }

  dropService(service: number): Promise<void> {
    return this.#inner.dropService(service);
  }

  /** Now and then nothing at all, else up to five milliseconds. */
  #pause(): Promise<void> {
    if (this.#random.chance(0.3)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#clock.after(this.#random.fraction() * 5, resolve);
    });
  }
}
