// The keys of the one table: 16 bytes, big endian, so that rows lie service by service, kind by
// kind, index by index. Never keyed by anything random: neighbours in time are neighbours on disk.
//
//   4 bytes service | 1 byte kind | 7 bytes index | 4 bytes sub-key
//
// The numbers of the kinds are written to disk: never change one.

import type { QueueName } from '../../queue/message.ts';
import { queueNames, queueNumbers } from '../../queue/message.ts';

export const kinds = {
  /** One row: state of the service. */
  state: 0,
  /** index = queue number, sub-key = group number. */
  group: 1,
  /** Messages of the queues with numbers 0 to 3 have the kinds 2 to 5. */
  message: 2,
  /** index = running number: all marks of one append. */
  marks: 6,
  /** index = input index; sub-key 0 = the record, 1 = when its result left the sink. */
  record: 7,
  /** index = input index: a result of home `record`. */
  result: 8,
  /** index = input index: a callback to make. */
  outbox: 9,
  /** index = input index of a message that is there: what its instance wants kept. */
  checkpoint: 10,
  // The following are kept under `ownService`.
  /** index = service number. */
  definition: 16,
  /** index = number of a service whose rows are being removed. */
  dropped: 17,
  /** index = number of a payload file. */
  file: 18,
  /** One row: how far the journal has reached the table. */
  journal: 19,
} as const;

const kindNames: Readonly<Record<number, string>> = {
  ...Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [kind, name])),
  ...Object.fromEntries(queueNames.map((name, at) => [kinds.message + at, `message ${name}`])),
};

/** What a person calls rows of this kind. */
export function kindName(kind: number): string {
  return kindNames[kind] ?? `kind ${kind}`;
}

/** The number under which the engine keeps its own rows. */
export const ownService = 0xffff_ffff;
export const indexMax: number = Number.MAX_SAFE_INTEGER;
export const keyBytes = 16;

export interface RowKey {
  readonly service: number;
  readonly kind: number;
  readonly index: number;
  readonly sub: number;
}

/** Above every row. */
export const lastKey: RowKey = { service: ownService, kind: 255, index: 0, sub: 0 };

export function messageKind(queue: QueueName): number {
  return kinds.message + queueNumbers[queue];
}

/** Whether the rows of a kind are messages. */
export function isMessage(kind: number): boolean {
  return kind >= kinds.message && kind < kinds.message + queueNames.length;
}

export function writeKey(key: DataView, parts: RowKey): void {
  setKey(key, parts.service, parts.kind, parts.index, parts.sub);
}

/** As `writeKey`, for the hot path: no object. */
export function setKey(
  key: DataView,
  service: number,
  kind: number,
  index: number,
  sub: number,
): void {
  const high = Math.floor(index / 2 ** 32);
  key.setUint32(0, service);
  key.setUint32(4, kind * 2 ** 24 + high);
  key.setUint32(8, index >>> 0);
  key.setUint32(12, sub);
}

/**
 * What the checksum of a row begins with, so that it covers the key. Each part is multiplied by an
 * odd number, which loses nothing modulo 2^32: keys that differ in one part have different seeds.
 */
export function keySeed(service: number, kind: number, index: number, sub: number): number {
  return (
    (Math.imul(service, 0x9e37_79b1) ^
      Math.imul(kind, 0x85eb_ca77) ^
      Math.imul(Math.floor(index / 2 ** 32), 0xc2b2_ae3d) ^
      Math.imul(index >>> 0, 0x27d4_eb2f) ^
      Math.imul(sub, 0x1656_67b1)) >>>
    0
  );
}

/** The same of a key's parts. */
export function seedOf({ service, kind, index, sub }: RowKey): number {
  return keySeed(service, kind, index, sub);
}

/** The bytes of a key. */
export function makeKey(parts: RowKey): Buffer {
  const bytes = Buffer.alloc(keyBytes);
  writeKey(new DataView(bytes.buffer, bytes.byteOffset, keyBytes), parts);
  return bytes;
}

/** The parts of a key. */
export function parseKey(bytes: Uint8Array): RowKey {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    service: view.getUint32(0),
    kind: view.getUint8(4),
    index: (view.getUint32(4) & 0xff_ffff) * 2 ** 32 + view.getUint32(8),
    sub: view.getUint32(12),
  };
}

/** The lowest key above `key`. */
export function after(key: RowKey): RowKey {
  if (key.sub < 0xffff_ffff) return { ...key, sub: key.sub + 1 };
  if (key.index < indexMax) return { ...key, index: key.index + 1, sub: 0 };
  return { ...key, kind: key.kind + 1, index: 0, sub: 0 };
}

/** The parts of a key that begins at `start` of `bytes`; for the hot path: no object. */
export function serviceAt(bytes: Uint8Array, start: number): number {
  return uintAt(bytes, start, 4);
}

/** As `serviceAt`. */
export function kindAt(bytes: Uint8Array, start: number): number {
  return bytes[start + 4] ?? 0;
}

/** As `serviceAt`. */
export function indexAt(bytes: Uint8Array, start: number): number {
  return uintAt(bytes, start + 5, 3) * 2 ** 32 + uintAt(bytes, start + 8, 4);
}

/** As `serviceAt`. */
export function subAt(bytes: Uint8Array, start: number): number {
  return uintAt(bytes, start + 12, 4);
}

function uintAt(bytes: Uint8Array, start: number, length: number): number {
  let value = 0;
  for (let at = start; at < start + length; at++) value = value * 256 + (bytes[at] ?? 0);
  return value;
}
