// The messages of the EAS queue protocol in its protobuf form, written by hand (proto3, three
// message types) so that browsers need no runtime for it. The JSON form is in frame-json.ts.
//
//   DataFrameProto      1 index: uint64   2 tags: map<string, string>   3 data: bytes
//                       4 message: string
//   DataFrameListProto  1 index: repeated DataFrameProto
//   AttributesProto     1 attributes: map<string, string>

import { ByteReader, ByteWriter } from './bytes.ts';
import { PlatformError } from './errors.ts';
import type { Tags } from './tags.ts';

export interface Frame {
  /** Position in its queue; 0 where a frame only carries text. */
  readonly index: number;
  /** With the tag `requestId`, as everything on the wire. */
  readonly tags: Tags;
  readonly data: Uint8Array;
  /** Free text, shown to people only. */
  readonly message: string;
}

const noBytes = new Uint8Array(0);

// A key is field number × 8 + wire type; 0 is a varint, 2 is counted bytes.
const varintType = 0;
const countedType = 2;
const key = { index: 0x08, tags: 0x12, data: 0x1a, message: 0x22, first: 0x0a, second: 0x12 };

/** Fields with their proto3 default are left out, as every encoder does. */
export function encodeFrame(frame: Frame): Uint8Array {
  const writer = new ByteWriter(frame.data.length + 192);
  writeFrame(writer, frame);
  return writer.finish();
}

/** The data is a view on `bytes`. Throws `bad_request` when they are no frame. */
export function decodeFrame(bytes: Uint8Array): Frame {
  return readFrame(new ByteReader(bytes));
}

/** An empty list is zero bytes. */
export function encodeFrameList(frames: readonly Frame[]): Uint8Array {
  let room = 0;
  for (const frame of frames) room += frame.data.length + 192;
  const writer = new ByteWriter(room);
  const inner = new ByteWriter(256);
  for (const frame of frames) {
    writeFrameHead(inner, frame);
    writeFrameTail(inner, frame);
    const tailLength = inner.length;
    const dataLength = frame.data.length;
    const dataField = dataLength === 0 ? 0 : 1 + varintLength(dataLength) + dataLength;
    writer.byte(key.first);
    writer.varint(tailLength + dataField);
    // The order of fields is free in protobuf: the payload goes last and is copied once.
    writer.raw(inner.finish());
    writeFrameData(writer, frame);
    inner.cutBack(0);
  }
  return writer.finish();
}

/** The data of every frame is a view on `bytes`. */
export function decodeFrameList(bytes: Uint8Array): Frame[] {
  const reader = new ByteReader(bytes);
  const frames: Frame[] = [];
  while (reader.left > 0) {
    const field = readKey(reader);
    if (field === key.first) frames.push(readFrame(reader.inner(reader.varint())));
    else skip(reader, field);
  }
  return frames;
}

export function encodeAttributes(attributes: Tags): Uint8Array {
  const writer = new ByteWriter(64 + attributes.size * 64);
  writeMap(writer, key.first, attributes);
  return writer.finish();
}

export function decodeAttributes(bytes: Uint8Array): Tags {
  const reader = new ByteReader(bytes);
  const attributes = new Map<string, string>();
  while (reader.left > 0) {
    const field = readKey(reader);
    if (field === key.first) readEntry(reader.inner(reader.varint()), attributes);
    else skip(reader, field);
  }
  return attributes;
}

function writeFrame(writer: ByteWriter, frame: Frame): void {
  writeFrameHead(writer, frame);
  writeFrameData(writer, frame);
  writeFrameTail(writer, frame);
}

function writeFrameHead(writer: ByteWriter, frame: Frame): void {
  if (frame.index !== 0) {
    writer.byte(key.index);
    writer.varint(frame.index);
  }
  writeMap(writer, key.tags, frame.tags);
}

function writeFrameData(writer: ByteWriter, frame: Frame): void {
  if (frame.data.length === 0) return;
  writer.byte(key.data);
  writer.counted(frame.data);
}

function writeFrameTail(writer: ByteWriter, frame: Frame): void {
  if (frame.message === '') return;
  writer.byte(key.message);
  writer.text(frame.message);
}

const scratch = new ByteWriter(512);

function writeMap(writer: ByteWriter, field: number, map: Tags): void {
  for (const [name, value] of map) {
    scratch.cutBack(0);
    scratch.byte(key.first);
    scratch.text(name);
    scratch.byte(key.second);
    scratch.text(value);
    writer.byte(field);
    writer.counted(scratch.finish());
  }
}

function readFrame(reader: ByteReader): Frame {
  let index = 0;
  let data: Uint8Array = noBytes;
  let message = '';
  const tags = new Map<string, string>();
  while (reader.left > 0) {
    const field = readKey(reader);
    if (field === key.index) index = reader.varint();
    else if (field === key.tags) readEntry(reader.inner(reader.varint()), tags);
    else if (field === key.data) data = reader.counted();
    else if (field === key.message) message = reader.text();
    else skip(reader, field);
  }
  return { index, tags, data, message };
}

function readEntry(reader: ByteReader, into: Map<string, string>): void {
  let name = '';
  let value = '';
  while (reader.left > 0) {
    const field = readKey(reader);
    if (field === key.first) name = reader.text();
    else if (field === key.second) value = reader.text();
    else skip(reader, field);
  }
  into.set(name, value);
}

function readKey(reader: ByteReader): number {
  const field = reader.varint();
  if (field < 8 || field > 0xffffffff) {
    throw new PlatformError('bad_request', 'A protobuf field has no valid number.');
  }
  return field;
}

/** Passes over a field that this version does not know. */
function skip(reader: ByteReader, field: number): void {
  const type = field % 8;
  if (type === varintType) skipVarint(reader);
  else if (type === countedType) reader.raw(reader.varint());
  else if (type === 1) reader.raw(8);
  else if (type === 5) reader.raw(4);
  else throw new PlatformError('bad_request', `Protobuf wire type ${type} is not supported.`);
}

/** Unlike a value that is read, a skipped one may use all 64 bits. */
function skipVarint(reader: ByteReader): void {
  for (let count = 0; count < 10; count++) if (reader.byte() < 0x80) return;
  throw new PlatformError('bad_request', 'A number has more than ten bytes.');
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}
