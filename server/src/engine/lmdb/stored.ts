// The rows that hold or name a payload: messages, results of home `record`, and the rows that say
// which payload file belongs to whom.

import { crc32 } from 'node:zlib';
import type { MessageMeta } from '../../queue/message.ts';
import { RowError, type RowReader, type RowWriter } from '../codec.ts';
import { readMeta, writeMeta } from '../rows-codec.ts';

/** Where a payload is. */
export type Storage =
  | { readonly kind: 'inline' }
  | { readonly kind: 'file'; readonly file: number };

const inline: Storage = { kind: 'inline' };

/** A payload's place, size and checksum, as the head of its row tells. */
export interface StoredPayload {
  readonly storage: Storage;
  readonly size: number;
  readonly checksum: number;
}

export function storedPayload(payload: Uint8Array, file: number | undefined): StoredPayload {
  const storage: Storage = file === undefined ? inline : { kind: 'file', file };
  return { storage, size: payload.length, checksum: crc32(payload) };
}

export function writeStored(writer: RowWriter, stored: StoredPayload): void {
  writer.uint(stored.storage.kind === 'file' ? stored.storage.file : 0);
  writer.uint(stored.size);
  writer.uint32(stored.checksum);
}

export function readStored(reader: RowReader): StoredPayload {
  const file = reader.uint();
  const storage: Storage = file === 0 ? inline : { kind: 'file', file };
  return { storage, size: reader.uint(), checksum: reader.uint32() };
}

export function writeMessage(writer: RowWriter, meta: MessageMeta, stored: StoredPayload): void {
  writeStored(writer, stored);
  writeMeta(writer, meta);
}

export interface MessageRow {
  readonly stored: StoredPayload;
  readonly meta: MessageMeta;
}

export function readMessage(reader: RowReader): MessageRow {
  return { stored: readStored(reader), meta: readMeta(reader) };
}

/** Answers `payload` when it is what was stored, else throws. */
export function checkPayload(stored: StoredPayload, payload: Buffer): Buffer {
  if (payload.length !== stored.size) throw new RowError('A payload has another size than noted.');
  if (crc32(payload) !== stored.checksum) throw new RowError('The checksum of a payload is wrong.');
  return payload;
}

/** Whose payload a file is: `slot` is a queue number, or `resultSlot`. */
export interface FileOwner {
  readonly service: number;
  readonly slot: number;
  readonly index: number;
}

/** After the four queues: results of home `record`. */
export const resultSlot = 4;

export function writeFileOwner(writer: RowWriter, owner: FileOwner): void {
  writer.uint32(owner.service);
  writer.byte(owner.slot);
  writer.uint(owner.index);
}

export function readFileOwner(reader: RowReader): FileOwner {
  return { service: reader.uint32(), slot: reader.byte(), index: reader.uint() };
}
