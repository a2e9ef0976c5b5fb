// The operations that concern the connection itself, and the pieces of large payloads, which both
// sides send alike.

import type { OperationCodec } from './fields.ts';
import { readQueue, writeQueue } from './fields.ts';
import type {
  Abandon,
  Credit,
  Goodbye,
  Hello,
  Leave,
  Open,
  Part,
  Ping,
  Welcome,
} from './operations.ts';

export const hello: OperationCodec<Hello> = {
  code: 0x01,
  write(writer, operation) {
    writer.varint(operation.version);
    writer.text(operation.token);
    writer.text(operation.uid);
    writer.text(operation.gid);
    writer.text(operation.resume);
    writer.varint(operation.credit);
    writer.text(operation.agent);
  },
  read: (reader) => ({
    kind: 'hello',
    version: reader.varint(),
    token: reader.text(),
    uid: reader.text(),
    gid: reader.text(),
    resume: reader.text(),
    credit: reader.varint(),
    agent: reader.text(),
  }),
};

export const open: OperationCodec<Open> = {
  code: 0x02,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.text(operation.service);
    writeQueue(writer, operation.queue);
    writer.text(operation.gid);
    writer.text(operation.uid);
  },
  read: (reader) => ({
    kind: 'open',
    number: reader.varint(),
    service: reader.text(),
    queue: readQueue(reader),
    gid: reader.text(),
    uid: reader.text(),
  }),
};

export const ping: OperationCodec<Ping> = {
  code: 0x03,
  write: (writer, operation) => writer.varint(operation.number),
  read: (reader) => ({ kind: 'ping', number: reader.varint() }),
};

export const leave: OperationCodec<Leave> = {
  code: 0x04,
  write: () => undefined,
  read: () => ({ kind: 'leave' }),
};

export const part: OperationCodec<Part> = {
  code: 0x05,
  write(writer, operation) {
    writer.varint(operation.transfer);
    writer.varint(operation.part);
    writer.raw(operation.data);
  },
  read: (reader) => ({
    kind: 'part',
    transfer: reader.varint(),
    part: reader.varint(),
    data: reader.rest(),
  }),
};

export const abandon: OperationCodec<Abandon> = {
  code: 0x06,
  write: (writer, operation) => writer.varint(operation.transfer),
  read: (reader) => ({ kind: 'abandon', transfer: reader.varint() }),
};

export const credit: OperationCodec<Credit> = {
  code: 0x07,
  write: (writer, operation) => writer.varint(operation.bytes),
  read: (reader) => ({ kind: 'credit', bytes: reader.varint() }),
};

export const welcome: OperationCodec<Welcome> = {
  code: 0x81,
  write(writer, operation) {
    writer.varint(operation.version);
    writer.text(operation.session);
    writer.varint(operation.operationsMax);
    writer.varint(operation.bytesMax);
    writer.varint(operation.watchesMax);
    writer.varint(operation.credit);
    writer.text(operation.agent);
  },
  read: (reader) => ({
    kind: 'welcome',
    version: reader.varint(),
    session: reader.text(),
    operationsMax: reader.varint(),
    bytesMax: reader.varint(),
    watchesMax: reader.varint(),
    credit: reader.varint(),
    agent: reader.text(),
  }),
};

export const goodbye: OperationCodec<Goodbye> = {
  code: 0x82,
  write(writer, operation) {
    writer.text(operation.reason);
    writer.varint(operation.retryAfterMs);
  },
  read: (reader) => ({
    kind: 'goodbye',
    reason: reader.text(),
    retryAfterMs: reader.varint(),
  }),
};
