// The calls of a client on a queue: put, get and everything addressed by index. Optional fields
// are announced by the bits of one byte, so that a plain put costs five bytes beside its payload.

import { noTags } from '../tags.ts';
import type { OperationCodec } from './fields.ts';
import {
  readBody,
  readFrom,
  readNumbers,
  readTags,
  writeBody,
  writeFrom,
  writeNumbers,
  writeTags,
} from './fields.ts';
import type {
  AtIndex,
  Attributes,
  ByIndexes,
  Cancel,
  Count,
  End,
  Get,
  Negative,
  Put,
  Taken,
} from './operations.ts';
import type { Follow, More } from './request-operations.ts';

const putHas = { id: 1, tags: 2, priority: 4, path: 8, type: 16, transfer: 32 } as const;
const getHas = { autoDelete: 1, tags: 2, id: 4 } as const;
const countHas = { tags: 1, id: 2, priority: 4 } as const;

export const put: OperationCodec<Put> = {
  code: 0x10,
  write(writer, operation) {
    const { id, tags, priority, path, contentType, transfer } = operation;
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.byte(
      (id === '' ? 0 : putHas.id) |
        (tags.size === 0 ? 0 : putHas.tags) |
        (priority === 0 ? 0 : putHas.priority) |
        (path === undefined ? 0 : putHas.path) |
        (contentType === undefined ? 0 : putHas.type) |
        (transfer === 0 ? 0 : putHas.transfer),
    );
    if (id !== '') writer.text(id);
    if (tags.size > 0) writeTags(writer, tags);
    if (priority !== 0) writer.varint(priority);
    if (path !== undefined) writer.text(path);
    if (contentType !== undefined) writer.text(contentType);
    writeBody(writer, operation);
  },
  read(reader) {
    const number = reader.varint();
    const channel = reader.varint();
    const flags = reader.byte();
    const id = flags & putHas.id ? reader.text() : '';
    const tags = flags & putHas.tags ? readTags(reader) : noTags;
    const priority = flags & putHas.priority ? reader.varint() : 0;
    const path = flags & putHas.path ? reader.text() : undefined;
    const contentType = flags & putHas.type ? reader.text() : undefined;
    const { payload, transfer, size } = readBody(reader, (flags & putHas.transfer) !== 0);
    return {
      kind: 'put',
      number,
      channel,
      id,
      tags,
      priority,
      path,
      contentType,
      payload,
      transfer,
      size,
    };
  },
};

export const get: OperationCodec<Get> = {
  code: 0x11,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.byte(
      (operation.autoDelete ? getHas.autoDelete : 0) |
        (operation.tags.size === 0 ? 0 : getHas.tags) |
        (operation.id === '' ? 0 : getHas.id),
    );
    writeFrom(writer, operation.from);
    writer.varint(operation.length);
    writer.varint(operation.timeoutMs);
    if (operation.tags.size > 0) writeTags(writer, operation.tags);
    if (operation.id !== '') writer.text(operation.id);
  },
  read(reader) {
    const number = reader.varint();
    const channel = reader.varint();
    const flags = reader.byte();
    return {
      kind: 'get',
      number,
      channel,
      autoDelete: (flags & getHas.autoDelete) !== 0,
      from: readFrom(reader),
      length: reader.varint(),
      timeoutMs: reader.varint(),
      tags: flags & getHas.tags ? readTags(reader) : noTags,
      id: flags & getHas.id ? reader.text() : '',
    };
  },
};

export const taken: OperationCodec<Taken> = {
  code: 0x12,
  write: (writer, operation) => writer.varint(operation.number),
  read: (reader) => ({ kind: 'taken', number: reader.varint() }),
};

export const cancel: OperationCodec<Cancel> = {
  code: 0x13,
  write: (writer, operation) => writer.varint(operation.number),
  read: (reader) => ({ kind: 'cancel', number: reader.varint() }),
};

export const follow: OperationCodec<Follow> = {
  code: 0x1c,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.text(operation.id);
    writer.text(operation.after);
    writer.varint(operation.window);
  },
  read: (reader) => ({
    kind: 'follow',
    number: reader.varint(),
    channel: reader.varint(),
    id: reader.text(),
    after: reader.text(),
    window: reader.varint(),
  }),
};

export const more: OperationCodec<More> = {
  code: 0x1d,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.events);
  },
  read: (reader) => ({ kind: 'more', number: reader.varint(), events: reader.varint() }),
};

export const search: OperationCodec<AtIndex> = atIndex('search', 0x14);

export const count: OperationCodec<Count> = {
  code: 0x15,
  write(writer, operation) {
    const { tags, id, priority } = operation;
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.byte(
      (tags.size === 0 ? 0 : countHas.tags) |
        (id === '' ? 0 : countHas.id) |
        (priority === undefined ? 0 : countHas.priority),
    );
    if (tags.size > 0) writeTags(writer, tags);
    if (id !== '') writer.text(id);
    if (priority !== undefined) writer.varint(priority);
  },
  read(reader) {
    const number = reader.varint();
    const channel = reader.varint();
    const flags = reader.byte();
    return {
      kind: 'count',
      number,
      channel,
      tags: flags & countHas.tags ? readTags(reader) : noTags,
      id: flags & countHas.id ? reader.text() : '',
      priority: flags & countHas.priority ? reader.varint() : undefined,
    };
  },
};

export const attributes: OperationCodec<Attributes> = {
  code: 0x16,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
  },
  read: (reader) => ({
    kind: 'attributes',
    number: reader.varint(),
    channel: reader.varint(),
  }),
};

export const deletion: OperationCodec<ByIndexes> = byIndexes('delete', 0x17);

export const truncate: OperationCodec<AtIndex> = atIndex('truncate', 0x18);

export const end: OperationCodec<End> = {
  code: 0x19,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.byte(operation.force ? 1 : 0);
  },
  read: (reader) => ({
    kind: 'end',
    number: reader.varint(),
    channel: reader.varint(),
    force: reader.byte() === 1,
  }),
};

export const commitIndexes: OperationCodec<ByIndexes> = byIndexes('commitIndexes', 0x1a);

export const negative: OperationCodec<Negative> = {
  code: 0x1b,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writeNumbers(writer, operation.indexes);
    writer.text(operation.code);
    writer.text(operation.reason);
  },
  read: (reader) => ({
    kind: 'negative',
    number: reader.varint(),
    channel: reader.varint(),
    indexes: readNumbers(reader),
    code: reader.text(),
    reason: reader.text(),
  }),
};

function atIndex(kind: AtIndex['kind'], code: number): OperationCodec<AtIndex> {
  return {
    code,
    write(writer, operation) {
      writer.varint(operation.number);
      writer.varint(operation.channel);
      writer.varint(operation.index);
    },
    read: (reader) => ({
      kind,
      number: reader.varint(),
      channel: reader.varint(),
      index: reader.varint(),
    }),
  };
}

function byIndexes(kind: ByIndexes['kind'], code: number): OperationCodec<ByIndexes> {
  return {
    code,
    write(writer, operation) {
      writer.varint(operation.number);
      writer.varint(operation.channel);
      writeNumbers(writer, operation.indexes);
    },
    read: (reader) => ({
      kind,
      number: reader.varint(),
      channel: reader.varint(),
      indexes: readNumbers(reader),
    }),
  };
}
