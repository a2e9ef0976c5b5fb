// Fields that operations of the stream protocol share, and the frame around each operation: three
// bytes of length (lowest first), one byte of code, the fields in their order, the payload last.

import { ByteReader, type ByteWriter } from '../bytes.ts';
import { PlatformError } from '../errors.ts';
import { noTags, type Tags } from '../tags.ts';
import { streamPayloadBytesMax } from './limits.ts';
import { type Body, type StreamQueue, streamQueues } from './operations.ts';

/** How one kind of operation is written and read; fields stand in the order of the wire. */
export interface OperationCodec<Operation> {
  readonly code: number;
  write(writer: ByteWriter, operation: Operation): void;
  read(reader: ByteReader): Operation;
}

/** The codecs of one direction by kind. */
export type CodecTable<Operation extends { readonly kind: string }> = {
  readonly [Kind in Operation['kind']]: OperationCodec<OfKind<Operation, Kind>>;
};

// Unlike `Extract` it also finds an operation that stands for several kinds.
type OfKind<Operation, Kind extends string> = Operation extends { readonly kind: string }
  ? Kind extends Operation['kind']
    ? Operation
    : never
  : never;

export interface DirectionCodec<Operation> {
  /** The code of each kind, for the documentation's test. */
  readonly codes: ReadonlyMap<string, number>;
  write(writer: ByteWriter, operation: Operation): void;
  /** The operations of one WebSocket message. Unknown codes are passed over: a newer peer may say
   * more. Payloads are views on `bytes`. Throws `bad_request`. */
  read(bytes: Uint8Array): Operation[];
}

/** Most items of one list inside an operation. */
const itemsMax = 65_536;

export const noBytes: Uint8Array = new Uint8Array(0);

export function directionCodec<Operation extends { readonly kind: string }>(
  table: CodecTable<Operation>,
): DirectionCodec<Operation> {
  // The table pairs each kind with the codec of exactly that kind; one function that dispatches
  // over all of them cannot be typed more closely.
  const byKind = new Map(Object.entries(table) as [string, OperationCodec<Operation>][]);
  const byCode: (OperationCodec<Operation> | undefined)[] = [];
  for (const codec of byKind.values()) byCode[codec.code] = codec;
  return {
    codes: new Map([...byKind].map(([kind, { code }]) => [kind, code])),
    write(writer, operation) {
      const codec = byKind.get(operation.kind);
      if (codec === undefined) throw new PlatformError('internal', 'An operation has no codec.');
      const start = writer.openRecord();
      writer.byte(codec.code);
      codec.write(writer, operation);
      writer.closeRecord(start);
    },
    read(bytes) {
      const operations: Operation[] = [];
      // A plain array even of a Buffer, whose own `subarray` is slower.
      const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const reader = new ByteReader(plain);
      while (reader.left > 0) {
        const outer = reader.enter(reader.recordLength());
        const codec = byCode[reader.byte()];
        if (codec !== undefined) operations.push(codec.read(reader));
        reader.leave(outer);
      }
      return operations;
    },
  };
}

export function writeTags(writer: ByteWriter, tags: Tags): void {
  writer.varint(tags.size);
  for (const [name, value] of tags) {
    writer.text(name);
    writer.text(value);
  }
}

export function readTags(reader: ByteReader): Tags {
  const size = readSize(reader);
  if (size === 0) return noTags;
  const tags = new Map<string, string>();
  for (let count = 0; count < size; count++) {
    const name = reader.text();
    tags.set(name, reader.text());
  }
  return tags;
}

export function writeNumbers(writer: ByteWriter, numbers: readonly number[]): void {
  writer.varint(numbers.length);
  for (const value of numbers) writer.varint(value);
}

export function readNumbers(reader: ByteReader): number[] {
  const numbers: number[] = [];
  for (let count = readSize(reader); count > 0; count--) numbers.push(reader.varint());
  return numbers;
}

/** An index to begin at, one higher on the wire, because -1 is a value. */
export function writeFrom(writer: ByteWriter, from: number): void {
  writer.varint(from + 1);
}

export function readFrom(reader: ByteReader): number {
  return reader.varint() - 1;
}

/** The payload is always last: what is left of the operation; of a transfer, its number and size. */
export function writeBody(writer: ByteWriter, body: Body): void {
  if (body.transfer === 0) {
    writer.raw(body.payload);
    return;
  }
  writer.varint(body.transfer);
  writer.varint(body.size);
}

export function readBody(reader: ByteReader, inParts: boolean): Body {
  if (!inParts) {
    const payload = reader.rest();
    return { payload, transfer: 0, size: payload.length };
  }
  const transfer = reader.varint();
  const size = reader.varint();
  if (transfer === 0) throw new PlatformError('bad_request', 'A transfer has the number 0.');
  if (size > streamPayloadBytesMax) {
    throw new PlatformError(
      'too_large',
      `A payload of ${size} bytes is over the limit of the protocol, ${streamPayloadBytesMax}.`,
    );
  }
  return { payload: noBytes, transfer, size };
}

export function writeQueue(writer: ByteWriter, queue: StreamQueue): void {
  writer.byte(streamQueues.indexOf(queue));
}

export function readQueue(reader: ByteReader): StreamQueue {
  return readWord(reader, streamQueues, 'queue');
}

export function writeWord<Word extends string>(
  writer: ByteWriter,
  words: readonly Word[],
  word: Word,
): void {
  writer.byte(words.indexOf(word));
}

/** One of a closed set of words by its number. */
export function readWord<Word extends string>(
  reader: ByteReader,
  words: readonly Word[],
  what: string,
): Word {
  const word = words[reader.byte()];
  if (word === undefined) throw new PlatformError('bad_request', `There is no such ${what}.`);
  return word;
}

function readSize(reader: ByteReader): number {
  const size = reader.varint();
  if (size > itemsMax || size > reader.left) {
    throw new PlatformError('bad_request', `A list announces ${size} items.`);
  }
  return size;
}
