// The reference engine: everything in memory, nothing survives the process. Tests use it as the
// oracle for the others, the simulation as the stage below `FaultyEngine`.

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
import { Fence } from './fence.ts';
import { ServiceRows } from './rows.ts';

const chunkRows = 256;

export class MemoryEngine implements Engine {
  readonly capabilities: EngineCapabilities = {
    name: 'memory',
    survivesProcess: false,
    survivesPower: false,
    losesAcknowledgements: false,
  };
  readonly #rows = new Map<number, ServiceRows>();
  readonly #fences = new Map<number, Fence>();
  readonly #definitions = new Map<number, ServiceDefinition>();

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async append(batch: Batch): Promise<AppendOutcome> {
    const fence = this.#fences.get(batch.service) ?? new Fence(0);
    this.#fences.set(batch.service, fence);
    if (!fence.admit(batch)) return { kind: 'refused', why: 'fenced' };
    const rows = this.#rows.get(batch.service) ?? new ServiceRows();
    this.#rows.set(batch.service, rows);
    rows.apply(batch);
    return { kind: 'durable' };
  }

  async *recover(service: number): AsyncIterable<readonly Row[]> {
    this.#fences.get(service)?.reset();
    let chunk: Row[] = [];
    for (const row of this.#rows.get(service)?.all() ?? []) {
      if (chunk.length === chunkRows) {
        yield chunk;
        chunk = [];
      }
      chunk.push(row);
    }
    if (chunk.length > 0) yield chunk;
  }

  async payloads(refs: readonly MessageRef[]): Promise<readonly (StoredMessage | undefined)[]> {
    return refs.map(({ service, queue, index }) => {
      const message = this.#rows.get(service)?.message(queue, index);
      return message && { meta: message.meta, payload: message.payload.slice() };
    });
  }

  async metas(refs: readonly MessageRef[]): Promise<readonly (MessageMeta | undefined)[]> {
    return refs.map(({ service, queue, index }) => {
      return this.#rows.get(service)?.message(queue, index)?.meta;
    });
  }

  async records(service: number, from: number, limit: number): Promise<readonly RequestRecord[]> {
    return this.#rows.get(service)?.records(from, limit) ?? [];
  }

  async recordResult(service: number, index: number): Promise<Uint8Array | undefined> {
    return this.#rows.get(service)?.result(index)?.slice();
  }

  async checkpoint(service: number, index: number): Promise<Uint8Array | undefined> {
    return this.#rows.get(service)?.checkpoint(index)?.slice();
  }

  async outbox(service: number, from: number, limit: number): Promise<readonly OutboxEntry[]> {
    return this.#rows.get(service)?.outbox(from, limit) ?? [];
  }

  async departure(service: number, index: number): Promise<Departure | undefined> {
    return this.#rows.get(service)?.departure(index);
  }

  hasRoom(): boolean {
    return true;
  }

  async definitions(): Promise<readonly ServiceDefinition[]> {
    return [...this.#definitions.values()].sort((a, b) => a.number - b.number);
  }

  async saveDefinition(definition: ServiceDefinition): Promise<void> {
    this.#definitions.set(definition.number, definition);
  }

  async dropService(service: number): Promise<void> {
    this.#definitions.delete(service);
    this.#rows.delete(service);
    this.#fences.delete(service);
  }
}
