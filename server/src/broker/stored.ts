// Messages that need not be read back: fresh puts until they are durable and, while there is room,
// until they are delivered; and the metas of messages under lease, which completing them needs.

import { NumberTable } from '@sluice/sdk/wire';
import type { MessageMeta, QueueName, StoredMessage } from '../queue/message.ts';

/** Bytes of payloads of one service kept for delivery after they are durable, with all of the
 * buffers that they lie in. */
export const keptBytesMax: number = 16 * 2 ** 20;
/** Messages kept so: what is delivered while it is fresh needs no more. */
export const keptMax = 4_096;

interface Kept {
  readonly message: StoredMessage;
  readonly buffer: KeptBuffer;
  isDurable: boolean;
}

/** What messages that came one after the other lie in, if they came together. */
interface KeptBuffer {
  readonly bytes: ArrayBufferLike;
  /** How many of them are kept. */
  messages: number;
}

export class Stored {
  readonly #messages: Readonly<Record<QueueName, NumberTable<Kept>>> = {
    input: new NumberTable(),
    sink: new NumberTable(),
    inputRear: new NumberTable(),
    sinkRear: new NumberTable(),
  };
  readonly #metas: Readonly<Record<QueueName, NumberTable<MessageMeta>>> = {
    input: new NumberTable(),
    sink: new NumberTable(),
    inputRear: new NumberTable(),
    sinkRear: new NumberTable(),
  };
  #buffer: KeptBuffer | undefined;
  #bytes = 0;
  #durable = 0;

  /** A message on its way to the engine. */
  add(queue: QueueName, message: StoredMessage): void {
    const bytes = message.payload.buffer;
    let buffer = this.#buffer;
    if (buffer?.bytes !== bytes) {
      buffer = { bytes, messages: 0 };
      this.#buffer = buffer;
      this.#bytes += bytes.byteLength;
    }
    buffer.messages += 1;
    this.#messages[queue].set(message.meta.index, { message, buffer, isDurable: false });
  }

  /** It can be read back from now on; it is kept when that is cheap. */
  setDurable(queue: QueueName, index: number): void {
    const kept = this.#messages[queue].get(index);
    if (kept === undefined) return;
    if (this.#bytes > keptBytesMax || this.#durable >= keptMax) this.#drop(queue, index, kept);
    else {
      kept.isDurable = true;
      this.#durable += 1;
    }
  }

  message(queue: QueueName, index: number): StoredMessage | undefined {
    return this.#messages[queue].get(index)?.message;
  }

  meta(queue: QueueName, index: number): MessageMeta | undefined {
    return this.#metas[queue].get(index) ?? this.#messages[queue].get(index)?.message.meta;
  }

  /** The message is under lease: its meta will be needed, its payload no more. */
  leased(queue: QueueName, meta: MessageMeta): void {
    this.#metas[queue].set(meta.index, meta);
    const kept = this.#messages[queue].get(meta.index);
    if (kept?.isDurable === true) this.#drop(queue, meta.index, kept);
  }

  /** It waits again. */
  returned(queue: QueueName, index: number): void {
    this.#metas[queue].delete(index);
  }

  /** It left its queue. */
  removed(queue: QueueName, index: number): void {
    this.#metas[queue].delete(index);
    const kept = this.#messages[queue].get(index);
    if (kept !== undefined) this.#drop(queue, index, kept);
  }

  #drop(queue: QueueName, index: number, kept: Kept): void {
    this.#messages[queue].delete(index);
    if (kept.isDurable) this.#durable -= 1;
    const { buffer } = kept;
    buffer.messages -= 1;
    if (buffer.messages > 0) return;
    this.#bytes -= buffer.bytes.byteLength;
    if (this.#buffer === buffer) this.#buffer = undefined;
  }
}
