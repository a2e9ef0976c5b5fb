// Everything that is read back: rows for recovery, payloads, records. Reads see what is durable.

import { PlatformError } from '@sluice/sdk/wire';
import type { MessageMeta, StoredMessage } from '../../queue/message.ts';
import { queueNames, queueNumbers } from '../../queue/message.ts';
import type { RequestRecord } from '../../queue/record.ts';
import type { OutboxEntry } from '../../queue/transition.ts';
import { RowError, RowReader } from '../codec.ts';
import type { Departure, MessageRef, Row, ServiceDefinition } from '../engine.ts';
import {
  readDefinition,
  readDeparture,
  readGroup,
  readMark,
  readRecord,
  readState,
} from '../rows-codec.ts';
import type { PayloadFiles } from './files.ts';
import { indexMax, kinds, messageKind, ownService, type RowKey, seedOf } from './keys.ts';
import type { RowStream } from './row-stream.ts';
import type { Rows } from './rows.ts';
import { damagedRow } from './scan.ts';
import { type LmdbService, markEntries } from './service.ts';
import {
  checkPayload,
  type MessageRow,
  readMessage,
  readStored,
  type StoredPayload,
} from './stored.ts';

/** Marks of one part. */
const partRows = 512;
const fileMissing = 'Its payload file is missing.';
const noRest = Buffer.alloc(0);

/** Of an open table. */
export class Reads {
  readonly #rows: Rows;
  readonly #stream: RowStream;
  readonly #files: PayloadFiles;
  readonly #reader = new RowReader();

  constructor(rows: Rows, stream: RowStream, files: PayloadFiles) {
    this.#rows = rows;
    this.#stream = stream;
    this.#files = files;
  }

  /** All rows of a service in the order that the contract gives, in bounded parts. */
  async *recovery(service: LmdbService): AsyncIterable<readonly Row[]> {
    const { number } = service;
    const stream = this.#stream;
    yield* stream.kind<Row>(number, kinds.state, (reader) => {
      return { kind: 'state', state: readState(reader) };
    });
    yield* stream.kind<Row>(number, kinds.group, readGroup);
    for (const queue of queueNames) {
      yield* stream.kind<Row>(number, messageKind(queue), (reader) => {
        return { kind: 'message', queue, meta: readMessage(reader).meta };
      });
    }
    yield* this.#marks(service);
    for await (const records of stream.kind(number, kinds.record, recordOf)) {
      yield records.flatMap((record) => (record ? { kind: 'record', record } : []));
    }
    yield* stream.kind<Row>(number, kinds.outbox, (reader) => {
      return { kind: 'outbox', entry: entryOf(reader) };
    });
  }

  /** At once, but for a payload that lies in a file. */
  message(ref: MessageRef): StoredMessage | undefined | Promise<StoredMessage | undefined> {
    const key = keyOf(ref);
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    try {
      this.#reader.open(row, seedOf(key));
      const { stored, meta } = readMessage(this.#reader);
      if (stored.storage.kind === 'file') return this.#messageInFile(ref, { stored, meta });
      return { meta, payload: checkPayload(stored, this.#reader.rest()) };
    } catch (error) {
      throw damagedMessage(error, ref);
    }
  }

  async #messageInFile(
    ref: MessageRef,
    { stored, meta }: MessageRow,
  ): Promise<StoredMessage | undefined> {
    let payload: Buffer | undefined;
    try {
      payload = await this.#payload(stored, noRest);
    } catch (error) {
      throw damagedMessage(error, ref);
    }
    if (payload !== undefined) return { meta, payload };
    // A file goes after its row: it is missing when the message was removed while it was read.
    if (!this.#rows.has(keyOf(ref))) return undefined;
    throw damagedMessage(new RowError(fileMissing), ref);
  }

  meta(ref: MessageRef): MessageMeta | undefined {
    const key = keyOf(ref);
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    try {
      this.#reader.open(row, seedOf(key));
      return readMessage(this.#reader).meta;
    } catch (error) {
      throw damagedMessage(error, ref);
    }
  }

  records(service: number, from: number, limit: number): readonly RequestRecord[] {
    const first = limit === 1 ? this.#record(service, from) : undefined;
    if (first !== undefined) return [first];
    const records: RequestRecord[] = [];
    for (const record of this.#records(service, from)) {
      records.push(record);
      if (records.length === limit) break;
    }
    return records;
  }

  /** Throws as `message` does. */
  async result(
    service: number,
    index: number,
    which: 'result' | 'checkpoint' = 'result',
  ): Promise<Uint8Array | undefined> {
    const key: RowKey = { service, kind: kinds[which], index, sub: 0 };
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    const what = `the ${which} of request ${index}`;
    try {
      this.#reader.open(row, seedOf(key));
      const payload = await this.#payload(readStored(this.#reader), this.#reader.rest());
      if (payload !== undefined) return payload;
    } catch (error) {
      throw asDamaged(error, what);
    }
    if (!this.#rows.has(key)) return undefined;
    throw asDamaged(new RowError(fileMissing), what);
  }

  outbox(service: number, from: number, limit: number): readonly OutboxEntry[] {
    const entries: OutboxEntry[] = [];
    for (const entry of this.#outbox(service, from)) {
      entries.push(entry);
      if (entries.length === limit) break;
    }
    return entries;
  }

  departure(service: number, index: number): Departure | undefined {
    const key: RowKey = { service, kind: kinds.record, index, sub: 1 };
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    this.#reader.open(row, seedOf(key));
    return readDeparture(this.#reader);
  }

  definitions(): readonly ServiceDefinition[] {
    return [...this.#rows.kind(ownService, kinds.definition, 0, readDefinition)];
  }

  async #payload(stored: StoredPayload, rest: Buffer): Promise<Buffer | undefined> {
    if (stored.storage.kind === 'inline') return checkPayload(stored, rest);
    const payload = await this.#files.read(stored.storage.file);
    return payload && checkPayload(stored, payload);
  }

  /** One that is known by its index is not worth a scan, which reads many ahead. */
  #record(service: number, index: number): RequestRecord | undefined {
    if (index > indexMax) return undefined;
    const key: RowKey = { service, kind: kinds.record, index, sub: 0 };
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    try {
      this.#reader.open(row, seedOf(key));
      return readRecord(this.#reader);
    } catch (error) {
      throw damagedRow(error, service, kinds.record, index);
    }
  }

  *#records(service: number, from: number): Iterable<RequestRecord> {
    if (from > indexMax) return;
    const rows = this.#rows.kind(service, kinds.record, from, recordOf);
    for (const record of rows) if (record !== undefined) yield record;
  }

  *#outbox(service: number, from: number): Iterable<OutboxEntry> {
    if (from > indexMax) return;
    yield* this.#rows.kind(service, kinds.outbox, from, entryOf);
  }

  // They lie in the order in which they were made, which is not that of the contract.
  *#marks(service: LmdbService): Iterable<readonly Row[]> {
    const inner = new RowReader();
    const rows: Extract<Row, { kind: 'mark' }>[] = [];
    const { number, marks } = service;
    const all = this.#rows.kind(number, kinds.marks, 0, (reader, row) => {
      for (const { queue, group, index, mark } of markEntries(reader)) {
        if (marks.find(queue, group, index) !== row) continue;
        inner.openHead(mark);
        rows.push({ kind: 'mark', queue, group, index, mark: readMark(inner) });
      }
    });
    for (const _ of all);
    rows.sort((a, b) => {
      const byQueue = queueNumbers[a.queue] - queueNumbers[b.queue];
      return byQueue || a.index - b.index || a.group - b.group;
    });
    for (let at = 0; at < rows.length; at += partRows) yield rows.slice(at, at + partRows);
  }
}

// The rows beside records say when a result left the sink.
function recordOf(reader: RowReader, _index: number, sub: number): RequestRecord | undefined {
  return sub === 0 ? readRecord(reader) : undefined;
}

function entryOf(reader: RowReader): OutboxEntry {
  return { index: reader.uint(), terms: reader.text() };
}

function keyOf({ service, queue, index }: MessageRef): RowKey {
  return { service, kind: messageKind(queue), index, sub: 0 };
}

function damagedMessage(cause: unknown, { queue, index }: MessageRef): unknown {
  return asDamaged(cause, `message ${index} of the ${queue} queue`);
}

function asDamaged(cause: unknown, what: string): unknown {
  if (!(cause instanceof RowError)) return cause;
  const text = `${what} is damaged on disk: ${cause.message}`;
  return new PlatformError('damaged', text, { cause });
}
