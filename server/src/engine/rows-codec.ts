// What the rows of each kind contain, byte by byte. To change a format: raise `rowVersion` in
// codec.ts, keep a reader for every version before, raise `formatVersion` in lmdb/format.ts, and
// say so in the change log. Closed sets are written as positions in the lists below: only ever
// append to them.

import { noTags, type Tags } from '@sluice/sdk/wire';
import type { Home, MessageMeta, QueueName } from '../queue/message.ts';
import { queueNames, queueNumbers } from '../queue/message.ts';
import type { DeliveryOutcome, RequestRecord, RestCause, RestState } from '../queue/record.ts';
import type { Mark, ServiceState } from '../queue/transition.ts';
import { RowError, type RowReader, type RowWriter } from './codec.ts';
import type { Departure, ServiceDefinition } from './engine.ts';
import type { GroupRow } from './rows.ts';

const homes: readonly Home[] = ['sink', 'record'];
const states: readonly RestState[] = [
  'succeeded',
  'failed',
  'dead',
  'dropped',
  'expired',
  'canceled',
];
const causes: readonly RestCause[] = [
  'completed',
  'committed',
  'handedOut',
  'modelAnswer',
  'tooLarge',
  'deliveries',
  'evicted',
  'deleted',
  'truncated',
  'forceEnded',
  'expired',
  'canceled',
  'poison',
  'deadline',
  'redriven',
];
const markStates: readonly Mark['state'][] = ['leased', 'returned', 'committed'];

function writeWord<T>(writer: RowWriter, words: readonly T[], word: T): void {
  writer.byte(words.indexOf(word));
}

function readWord<T>(reader: RowReader, words: readonly T[]): T {
  const word = words[reader.byte()];
  if (word === undefined) throw new RowError('A row has an unknown word.');
  return word;
}

function writeTags(writer: RowWriter, tags: Tags): void {
  writer.uint(tags.size);
  if (tags.size === 0) return;
  for (const [name, value] of tags) {
    writer.text(name);
    writer.text(value);
  }
}

function readTags(reader: RowReader): Tags {
  const count = reader.uint();
  if (count === 0) return noTags;
  const tags = new Map<string, string>();
  for (let left = count; left > 0; left--) tags.set(reader.text(), reader.text());
  return tags;
}

// One bit for each of these that is there.
const metaBits = {
  callerId: 1,
  homeRecord: 2,
  path: 4,
  contentType: 8,
  owner: 16,
  idempotencyKey: 32,
  terms: 64,
  source: 128,
} as const;

export function writeMeta(writer: RowWriter, meta: MessageMeta): void {
  const { path, contentType, owner, idempotencyKey, terms, source } = meta;
  writer.byte(
    (meta.callerId ? metaBits.callerId : 0) |
      (meta.home === 'record' ? metaBits.homeRecord : 0) |
      (path === undefined ? 0 : metaBits.path) |
      (contentType === undefined ? 0 : metaBits.contentType) |
      (owner === undefined ? 0 : metaBits.owner) |
      (idempotencyKey === undefined ? 0 : metaBits.idempotencyKey) |
      (terms === undefined ? 0 : metaBits.terms) |
      (source === 0 ? 0 : metaBits.source),
  );
  writer.uint(meta.index);
  writer.text(meta.id);
  writeTags(writer, meta.tags);
  writer.uint(meta.priority);
  writer.uint(meta.size);
  writer.uint32(meta.bodyHash);
  writer.float(meta.acceptedAt);
  writer.float(meta.expiresAt);
  if (path !== undefined) writer.text(path);
  if (contentType !== undefined) writer.text(contentType);
  if (owner !== undefined) writer.text(owner);
  if (idempotencyKey !== undefined) writer.text(idempotencyKey);
  if (terms !== undefined) writer.text(terms);
  if (source !== 0) writer.uint(source);
}

export function readMeta(reader: RowReader): MessageMeta {
  const bits = reader.byte();
  return {
    index: reader.uint(),
    id: reader.text(),
    callerId: (bits & metaBits.callerId) !== 0,
    tags: readTags(reader),
    priority: reader.uint(),
    size: reader.uint(),
    bodyHash: reader.uint32(),
    acceptedAt: reader.float(),
    expiresAt: reader.float(),
    home: (bits & metaBits.homeRecord) !== 0 ? 'record' : 'sink',
    path: (bits & metaBits.path) !== 0 ? reader.text() : undefined,
    contentType: (bits & metaBits.contentType) !== 0 ? reader.text() : undefined,
    owner: (bits & metaBits.owner) !== 0 ? reader.text() : undefined,
    idempotencyKey: (bits & metaBits.idempotencyKey) !== 0 ? reader.text() : undefined,
    terms: (bits & metaBits.terms) !== 0 ? reader.text() : undefined,
    source: (bits & metaBits.source) !== 0 ? reader.uint() : 0,
  };
}

// Revisions are there where they are known; the bits that say so were always 0 before.
interface RevisionBits {
  readonly revision: number;
}

const outcomeBits = { counted: 1, revision: 2 } as const;
const markBits = { resumable: 1, place: 2, revision: 16 } as const;
const homeBits = { place: 1, revision: 2 } as const;

function revisionBit({ revision }: { readonly revision: number }, bits: RevisionBits): number {
  return revision === 0 ? 0 : bits.revision;
}

function readRevision(reader: RowReader, bits: number, of: RevisionBits): number {
  return (bits & of.revision) !== 0 ? reader.uint() : 0;
}

function writeOutcomes(writer: RowWriter, outcomes: readonly DeliveryOutcome[]): void {
  writer.uint(outcomes.length);
  for (const outcome of outcomes) {
    writer.uint(outcome.deliveryId);
    writer.text(outcome.uid);
    writer.float(outcome.deliveredAt);
    writer.float(outcome.endedAt);
    writer.byte((outcome.counted ? outcomeBits.counted : 0) | revisionBit(outcome, outcomeBits));
    writer.text(outcome.code);
    writer.text(outcome.reason);
    if (outcome.revision !== 0) writer.uint(outcome.revision);
  }
}

function readOutcomes(reader: RowReader): readonly DeliveryOutcome[] {
  const outcomes: DeliveryOutcome[] = [];
  for (let left = reader.uint(); left > 0; left--) {
    const deliveryId = reader.uint();
    const uid = reader.text();
    const deliveredAt = reader.float();
    const endedAt = reader.float();
    const bits = reader.byte();
    outcomes.push({
      deliveryId,
      uid,
      deliveredAt,
      endedAt,
      counted: (bits & outcomeBits.counted) !== 0,
      code: reader.text(),
      reason: reader.text(),
      revision: readRevision(reader, bits, outcomeBits),
    });
  }
  return outcomes;
}

const deathsShift = 2;
const deathsMax = 3;

export function writeMark(writer: RowWriter, mark: Mark): void {
  writeWord(writer, markStates, mark.state);
  // Two bits were always 0 before instances' deaths were counted.
  const deaths = Math.min(mark.deaths, deathsMax) << deathsShift;
  writer.byte(
    (mark.resumable ? markBits.resumable : 0) |
      (mark.place ? markBits.place : 0) |
      revisionBit(mark, markBits) |
      deaths,
  );
  writer.uint(mark.deliveryId);
  writer.text(mark.uid);
  writer.float(mark.firstDeliveredAt);
  writer.float(mark.deliveredAt);
  writer.uint(mark.deliveries);
  writer.uint(mark.bad);
  writer.float(mark.notBefore);
  writer.uint(mark.placeIndex);
  writeOutcomes(writer, mark.outcomes);
  if (mark.revision !== 0) writer.uint(mark.revision);
}

export function readMark(reader: RowReader): Mark {
  const state = readWord(reader, markStates);
  const bits = reader.byte();
  return {
    state,
    resumable: (bits & markBits.resumable) !== 0,
    place: (bits & markBits.place) !== 0,
    deliveryId: reader.uint(),
    uid: reader.text(),
    firstDeliveredAt: reader.float(),
    deliveredAt: reader.float(),
    deliveries: reader.uint(),
    bad: reader.uint(),
    deaths: (bits >> deathsShift) & deathsMax,
    notBefore: reader.float(),
    placeIndex: reader.uint(),
    outcomes: readOutcomes(reader),
    revision: readRevision(reader, bits, markBits),
  };
}

// One bit for each of these that is there; those from `path` on since format 3.
const recordBits = {
  callerId: 1,
  owner: 2,
  idempotencyKey: 4,
  path: 8,
  terms: 16,
  source: 32,
  contentType: 64,
  after: 128,
} as const;

export function writeRecord(writer: RowWriter, record: RequestRecord): void {
  const { owner, idempotencyKey, path, terms, source, contentType, after } = record;
  writer.byte(
    (record.callerId ? recordBits.callerId : 0) |
      (owner === undefined ? 0 : recordBits.owner) |
      (idempotencyKey === undefined ? 0 : recordBits.idempotencyKey) |
      (path === undefined ? 0 : recordBits.path) |
      (terms === undefined ? 0 : recordBits.terms) |
      (source === 0 ? 0 : recordBits.source) |
      (contentType === undefined ? 0 : recordBits.contentType) |
      (after === undefined ? 0 : recordBits.after),
  );
  writer.uint(record.index);
  writer.text(record.id);
  writer.uint32(record.bodyHash);
  if (owner !== undefined) writer.text(owner);
  if (idempotencyKey !== undefined) writer.text(idempotencyKey);
  writeWord(writer, states, record.state);
  writeWord(writer, causes, record.cause);
  writer.byte(homes.indexOf(record.home) | revisionBit(record, homeBits));
  writer.float(record.acceptedAt);
  writer.float(record.firstDeliveredAt);
  writer.float(record.lastDeliveredAt);
  writer.float(record.firstOutputAt);
  writer.float(record.doneAt);
  writer.float(record.retainUntil);
  writer.uint(record.deliveries);
  writeOutcomes(writer, record.outcomes);
  writer.text(record.uid);
  writer.uint(record.sizeIn);
  writer.uint(record.sizeOut);
  writer.uint(record.priority);
  writeTags(writer, record.tags);
  writer.uint(record.resultIndex);
  writer.text(record.code);
  writer.text(record.reason);
  if (path !== undefined) writer.text(path);
  if (terms !== undefined) writer.text(terms);
  if (source !== 0) writer.uint(source);
  if (contentType !== undefined) writer.text(contentType);
  if (after !== undefined) writer.text(after);
  if (record.revision !== 0) writer.uint(record.revision);
}

export function readRecord(reader: RowReader): RequestRecord {
  const bits = reader.byte();
  // Constants and one literal: an object made of another one is many times as slow.
  const index = reader.uint();
  const id = reader.text();
  const bodyHash = reader.uint32();
  const owner = (bits & recordBits.owner) !== 0 ? reader.text() : undefined;
  const idempotencyKey = (bits & recordBits.idempotencyKey) !== 0 ? reader.text() : undefined;
  const state = readWord(reader, states);
  const cause = readWord(reader, causes);
  const home = reader.byte();
  return {
    callerId: (bits & recordBits.callerId) !== 0,
    index,
    id,
    bodyHash,
    owner,
    idempotencyKey,
    state,
    cause,
    home: (home & homeBits.place) !== 0 ? 'record' : 'sink',
    acceptedAt: reader.float(),
    firstDeliveredAt: reader.float(),
    lastDeliveredAt: reader.float(),
    firstOutputAt: reader.float(),
    doneAt: reader.float(),
    retainUntil: reader.float(),
    deliveries: reader.uint(),
    outcomes: readOutcomes(reader),
    uid: reader.text(),
    sizeIn: reader.uint(),
    sizeOut: reader.uint(),
    priority: reader.uint(),
    tags: readTags(reader),
    resultIndex: reader.uint(),
    code: reader.text(),
    reason: reader.text(),
    path: (bits & recordBits.path) !== 0 ? reader.text() : undefined,
    terms: (bits & recordBits.terms) !== 0 ? reader.text() : undefined,
    source: (bits & recordBits.source) !== 0 ? reader.uint() : 0,
    contentType: (bits & recordBits.contentType) !== 0 ? reader.text() : undefined,
    after: (bits & recordBits.after) !== 0 ? reader.text() : undefined,
    revision: readRevision(reader, home, homeBits),
  };
}

export function writeDeparture(writer: RowWriter, departure: Departure): void {
  writeWord(writer, causes, departure.cause);
  writer.float(departure.at);
}

export function readDeparture(reader: RowReader): Departure {
  return { cause: readWord(reader, causes), at: reader.float() };
}

export function writeState(writer: RowWriter, state: ServiceState): void {
  writer.uint(state.epoch);
  for (const index of state.lastIndexes) writer.uint(index);
  for (const ended of state.ended) writer.byte(ended ? 1 : 0);
  writer.uint(state.lastGroup);
}

export function readState(reader: RowReader): ServiceState {
  const ended = (): boolean => reader.byte() === 1;
  return {
    epoch: reader.uint(),
    lastIndexes: [reader.uint(), reader.uint(), reader.uint(), reader.uint()],
    ended: [ended(), ended(), ended(), ended()],
    lastGroup: reader.uint(),
  };
}

export function writeQueue(writer: RowWriter, queue: QueueName): void {
  writer.byte(queueNumbers[queue]);
}

export function readQueue(reader: RowReader): QueueName {
  return readWord(reader, queueNames);
}

export function writeGroup(writer: RowWriter, group: Omit<GroupRow, 'kind'>): void {
  writeQueue(writer, group.queue);
  writer.uint(group.group);
  writer.text(group.gid);
  writer.uint(group.from);
  writer.float(group.usedAt);
  writer.uint(group.resolved.size);
  for (const [uid, index] of group.resolved) {
    writer.text(uid);
    writer.uint(index);
  }
}

export function readGroup(reader: RowReader): GroupRow {
  const queue = readQueue(reader);
  const group = reader.uint();
  const gid = reader.text();
  const from = reader.uint();
  const usedAt = reader.float();
  const resolved = new Map<string, number>();
  for (let left = reader.uint(); left > 0; left--) resolved.set(reader.text(), reader.uint());
  return { kind: 'group', queue, group, gid, from, usedAt, resolved };
}

export function writeDefinition(writer: RowWriter, definition: ServiceDefinition): void {
  writer.uint(definition.number);
  writer.text(definition.name);
  writer.text(definition.definition);
}

export function readDefinition(reader: RowReader): ServiceDefinition {
  return { number: reader.uint(), name: reader.text(), definition: reader.text() };
}
