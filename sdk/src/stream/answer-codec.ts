// What the server says: answers to calls, deliveries, and news of watches.

import type { ByteReader, ByteWriter } from '../bytes.ts';
import { noTags } from '../tags.ts';
import type { OperationCodec } from './fields.ts';
import {
  readBody,
  readNumbers,
  readTags,
  readWord,
  writeBody,
  writeNumbers,
  writeTags,
  writeWord,
} from './fields.ts';
import type {
  Answered,
  Closed,
  Deliver,
  Described,
  Done,
  Failed,
  Fetched,
  Found,
  MessageHead,
  PutDone,
  Voided,
  Watching,
} from './operations.ts';
import type { ApartBody, Told } from './request-operations.ts';

const putHas = { repeated: 1, id: 2 } as const;
const messageHas = { tags: 1, priority: 2, type: 4, path: 8, transfer: 16 } as const;
const deliverHas = { apart: 32, largeResult: 64 } as const;
const apartKinds = ['file', 'address'] as const;

export const done: OperationCodec<Done> = {
  code: 0x90,
  write: (writer, operation) => writer.varint(operation.number),
  read: (reader) => ({ kind: 'done', number: reader.varint() }),
};

export const error: OperationCodec<Failed> = {
  code: 0x91,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.text(operation.code);
    writer.text(operation.text);
    writer.varint(operation.retryAfterMs);
  },
  read: (reader) => ({
    kind: 'error',
    number: reader.varint(),
    code: reader.text(),
    text: reader.text(),
    retryAfterMs: reader.varint(),
  }),
};

export const putDone: OperationCodec<PutDone> = {
  code: 0x92,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.index);
    const hasId = operation.id !== '';
    writer.byte((operation.repeated ? putHas.repeated : 0) | (hasId ? putHas.id : 0));
    if (hasId) writer.text(operation.id);
  },
  read(reader) {
    const number = reader.varint();
    const index = reader.varint();
    const flags = reader.byte();
    return {
      kind: 'putDone',
      number,
      index,
      id: flags & putHas.id ? reader.text() : '',
      repeated: (flags & putHas.repeated) !== 0,
    };
  },
};

export const message: OperationCodec<Fetched> = {
  code: 0x93,
  write(writer, operation) {
    writer.varint(operation.number);
    writeHead(writer, operation, operation.transfer !== 0);
    writeBody(writer, operation);
  },
  read(reader) {
    const number = reader.varint();
    const flags = reader.byte();
    const head = readHead(reader, flags);
    const { payload, transfer, size } = readBody(reader, (flags & messageHas.transfer) !== 0);
    return { kind: 'message', number, ...head, payload, transfer, size };
  },
};

export const event: OperationCodec<Told> = {
  code: 0x98,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.text(operation.id);
    writer.text(operation.event);
    writer.text(operation.data);
  },
  read: (reader) => ({
    kind: 'event',
    number: reader.varint(),
    id: reader.text(),
    event: reader.text(),
    data: reader.text(),
  }),
};

export const deliver: OperationCodec<Deliver> = {
  code: 0xa0,
  write(writer, operation) {
    writer.varint(operation.watch);
    writer.varint(operation.deliveryId);
    writer.varint(operation.deliveries);
    const { apart, largeResult } = operation;
    const more =
      (apart === undefined ? 0 : deliverHas.apart) |
      (largeResult === true ? deliverHas.largeResult : 0);
    writeHead(writer, operation, operation.transfer !== 0, more);
    if (apart !== undefined) writeApart(writer, apart);
    writeBody(writer, operation);
  },
  read(reader) {
    const watch = reader.varint();
    const deliveryId = reader.varint();
    const deliveries = reader.varint();
    const flags = reader.byte();
    // Spelled out instead of `readHead`: this is the hot path of every consumer.
    const index = reader.varint();
    const id = reader.text();
    const acceptedAt = reader.varint();
    const tags = flags & messageHas.tags ? readTags(reader) : noTags;
    const priority = flags & messageHas.priority ? reader.varint() : 0;
    const contentType = flags & messageHas.type ? reader.text() : undefined;
    const path = flags & messageHas.path ? reader.text() : undefined;
    const apart = flags & deliverHas.apart ? readApart(reader) : undefined;
    const { payload, transfer, size } = readBody(reader, (flags & messageHas.transfer) !== 0);
    const operation: Deliver = {
      kind: 'deliver',
      watch,
      deliveryId,
      deliveries,
      index,
      id,
      acceptedAt,
      tags,
      priority,
      contentType,
      path,
      payload,
      transfer,
      size,
    };
    // Only for those that have such facts: a copy of every delivery would cost its consumer.
    const facts = flags & (deliverHas.apart | deliverHas.largeResult);
    return facts === 0 ? operation : withFacts(operation, flags, apart);
  },
};

export const watching: OperationCodec<Watching> = {
  code: 0xa1,
  write(writer, operation) {
    writer.varint(operation.number);
    writeNumbers(writer, operation.held);
  },
  read: (reader) => ({ kind: 'watching', number: reader.varint(), held: readNumbers(reader) }),
};

export const voided: OperationCodec<Voided> = {
  code: 0xa2,
  write(writer, operation) {
    writer.varint(operation.watch);
    writer.varint(operation.deliveryId);
    writer.text(operation.reason);
  },
  read: (reader) => ({
    kind: 'voided',
    watch: reader.varint(),
    deliveryId: reader.varint(),
    reason: reader.text(),
  }),
};

export const closed: OperationCodec<Closed> = {
  code: 0xa3,
  write(writer, operation) {
    writer.varint(operation.watch);
    writer.text(operation.reason);
  },
  read: (reader) => ({ kind: 'closed', watch: reader.varint(), reason: reader.text() }),
};

export const completed: OperationCodec<Answered> = answered('completed', 0x94);
export const counted: OperationCodec<Answered> = answered('counted', 0x95);

export const found: OperationCodec<Found> = {
  code: 0x96,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.text(operation.consumerId);
    writer.byte(operation.isPending ? 1 : 0);
    writer.varint(operation.waitCount);
  },
  read: (reader) => ({
    kind: 'found',
    number: reader.varint(),
    consumerId: reader.text(),
    isPending: reader.byte() === 1,
    waitCount: reader.varint(),
  }),
};

export const described: OperationCodec<Described> = {
  code: 0x97,
  write(writer, operation) {
    writer.varint(operation.number);
    writeTags(writer, operation.attributes);
  },
  read: (reader) => ({
    kind: 'described',
    number: reader.varint(),
    attributes: readTags(reader),
  }),
};

function answered(kind: Answered['kind'], code: number): OperationCodec<Answered> {
  return {
    code,
    write(writer, operation) {
      writer.varint(operation.number);
      writer.varint(operation.value);
    },
    read: (reader) => ({ kind, number: reader.varint(), value: reader.varint() }),
  };
}

function withFacts(operation: Deliver, flags: number, apart: ApartBody | undefined): Deliver {
  return {
    ...operation,
    ...(apart === undefined ? {} : { apart }),
    ...(flags & deliverHas.largeResult ? { largeResult: true } : {}),
  };
}

function writeApart(writer: ByteWriter, apart: ApartBody): void {
  writeWord(writer, apartKinds, apart.kind);
  if (apart.kind === 'file') writer.varint(apart.size);
  else writer.text(apart.url);
}

function readApart(reader: ByteReader): ApartBody {
  const kind = readWord(reader, apartKinds, 'place of a body');
  return kind === 'file' ? { kind, size: reader.varint() } : { kind, url: reader.text() };
}

function writeHead(writer: ByteWriter, head: MessageHead, inParts: boolean, more = 0): void {
  const { tags, priority, contentType, path } = head;
  writer.byte(
    (tags.size === 0 ? 0 : messageHas.tags) |
      (priority === 0 ? 0 : messageHas.priority) |
      (contentType === undefined ? 0 : messageHas.type) |
      (path === undefined ? 0 : messageHas.path) |
      (inParts ? messageHas.transfer : 0) |
      more,
  );
  writer.varint(head.index);
  writer.text(head.id);
  writer.varint(head.acceptedAt);
  if (tags.size > 0) writeTags(writer, tags);
  if (priority !== 0) writer.varint(priority);
  if (contentType !== undefined) writer.text(contentType);
  if (path !== undefined) writer.text(path);
}

function readHead(reader: ByteReader, flags: number): MessageHead {
  return {
    index: reader.varint(),
    id: reader.text(),
    acceptedAt: reader.varint(),
    tags: flags & messageHas.tags ? readTags(reader) : noTags,
    priority: flags & messageHas.priority ? reader.varint() : 0,
    contentType: flags & messageHas.type ? reader.text() : undefined,
    path: flags & messageHas.path ? reader.text() : undefined,
  };
}
