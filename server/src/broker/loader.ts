// Brings the messages of one service for handing out: from memory where they are fresh, else from
// the engine, several in one call.

import type { Engine } from '../engine/engine.ts';
import type { QueueName, StoredMessage } from '../queue/message.ts';
import type { Stored } from './stored.ts';

/** Payload bytes that one answer or one load brings, with at least one message. */
export const answerBytesMax: number = 8 * 2 ** 20;

export class Loader {
  readonly #engine: Engine;
  readonly #service: number;
  readonly #stored: () => Stored;

  constructor(engine: Engine, service: number, stored: () => Stored) {
    this.#engine = engine;
    this.#service = service;
    this.#stored = stored;
  }

  /** The message if it is in memory. */
  atHand(queue: QueueName, index: number): StoredMessage | undefined {
    return this.#stored().message(queue, index);
  }

  /** One that is not at hand; undefined when it is gone. */
  async one(queue: QueueName, index: number): Promise<StoredMessage | undefined> {
    const [message] = await this.#engine.payloads([{ service: this.#service, queue, index }]);
    return message;
  }

  /** The messages in order; undefined where one is gone. */
  async load(
    queue: QueueName,
    indexes: readonly number[],
  ): Promise<readonly (StoredMessage | undefined)[]> {
    const found = indexes.map((index) => this.atHand(queue, index));
    const missing = indexes.filter((_index, at) => found[at] === undefined);
    if (missing.length === 0) return found;
    const refs = missing.map((index) => ({ service: this.#service, queue, index }));
    const loaded = await this.#engine.payloads(refs);
    let next = 0;
    return found.map((message) => {
      if (message !== undefined) return message;
      next += 1;
      return loaded[next - 1];
    });
  }
}
