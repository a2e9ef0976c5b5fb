// The client's side of watching: opening and closing watches, and what is said about deliveries by
// their fencing tokens.

import { noTags } from '../tags.ts';
import type { OperationCodec } from './fields.ts';
import {
  readBody,
  readFrom,
  readNumbers,
  readTags,
  readWord,
  writeBody,
  writeFrom,
  writeNumbers,
  writeTags,
  writeWord,
} from './fields.ts';
import { readNotes, writeNotes } from './notes.ts';
import type {
  CloseWatch,
  Commit,
  Complete,
  Freed,
  GiveBack,
  OpenWatch,
  Pause,
  Report,
  Touch,
} from './operations.ts';
import type { Checkpoint, Progress, Recall } from './request-operations.ts';

const watchHas = {
  indexOnly: 1,
  autoCommit: 2,
  worker: 4,
  tags: 8,
  id: 16,
  holding: 32,
  revision: 64,
  fetches: 128,
} as const;
const completeHas = {
  again: 1,
  failed: 2,
  code: 4,
  type: 8,
  firstOutput: 16,
  transfer: 32,
  kept: 64,
} as const;
const giveBackHas = { again: 1, counted: 2, occupies: 4 } as const;
const closings = ['cut', 'drain', 'dead'] as const;

export const watch: OperationCodec<OpenWatch> = {
  code: 0x20,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.byte(watchFlags(operation));
    writer.varint(operation.window);
    writeFrom(writer, operation.from);
    if (operation.tags.size > 0) writeTags(writer, operation.tags);
    if (operation.id !== '') writer.text(operation.id);
    if (operation.holding.length > 0) writeNumbers(writer, operation.holding);
    if (operation.revision > 0) writer.varint(operation.revision);
  },
  read(reader) {
    const number = reader.varint();
    const channel = reader.varint();
    const flags = reader.byte();
    return {
      kind: 'watch',
      number,
      channel,
      indexOnly: (flags & watchHas.indexOnly) !== 0,
      autoCommit: (flags & watchHas.autoCommit) !== 0,
      worker: (flags & watchHas.worker) !== 0,
      window: reader.varint(),
      from: readFrom(reader),
      tags: flags & watchHas.tags ? readTags(reader) : noTags,
      id: flags & watchHas.id ? reader.text() : '',
      holding: flags & watchHas.holding ? readNumbers(reader) : [],
      revision: flags & watchHas.revision ? reader.varint() : 0,
      ...(flags & watchHas.fetches ? { fetches: true } : {}),
    };
  },
};

export const unwatch: OperationCodec<CloseWatch> = {
  code: 0x21,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.watch);
    writeWord(writer, closings, operation.how);
  },
  read: (reader) => ({
    kind: 'unwatch',
    number: reader.varint(),
    watch: reader.varint(),
    how: readWord(reader, closings, 'way to close a watch'),
  }),
};

export const pause: OperationCodec<Pause> = pauseOrResume('pause', 0x22);
export const resume: OperationCodec<Pause> = pauseOrResume('resume', 0x23);

export const commit: OperationCodec<Commit> = {
  code: 0x24,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.varint(operation.deliveryId);
    writer.byte(operation.again ? 1 : 0);
  },
  read: (reader) => ({
    kind: 'commit',
    number: reader.varint(),
    channel: reader.varint(),
    deliveryId: reader.varint(),
    again: reader.byte() === 1,
  }),
};

export const complete: OperationCodec<Complete> = {
  code: 0x25,
  write(writer, operation) {
    const { code, reason, contentType, firstOutputAt, kept } = operation;
    const hasCode = code !== '' || reason !== '';
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.varint(operation.deliveryId);
    writer.byte(
      (operation.again ? completeHas.again : 0) |
        (operation.outcome === 'failed' ? completeHas.failed : 0) |
        (hasCode ? completeHas.code : 0) |
        (contentType === undefined ? 0 : completeHas.type) |
        (firstOutputAt === 0 ? 0 : completeHas.firstOutput) |
        (operation.transfer === 0 ? 0 : completeHas.transfer) |
        (kept === undefined ? 0 : completeHas.kept),
    );
    if (hasCode) {
      writer.text(code);
      writer.text(reason);
    }
    if (contentType !== undefined) writer.text(contentType);
    if (firstOutputAt !== 0) writer.varint(firstOutputAt);
    if (kept !== undefined) writer.text(kept);
    writeBody(writer, operation);
  },
  read(reader) {
    const number = reader.varint();
    const channel = reader.varint();
    const deliveryId = reader.varint();
    const flags = reader.byte();
    const code = flags & completeHas.code ? reader.text() : '';
    const reason = flags & completeHas.code ? reader.text() : '';
    const contentType = flags & completeHas.type ? reader.text() : undefined;
    const firstOutputAt = flags & completeHas.firstOutput ? reader.varint() : 0;
    const kept = flags & completeHas.kept ? reader.text() : undefined;
    const { payload, transfer, size } = readBody(reader, (flags & completeHas.transfer) !== 0);
    const operation: Complete = {
      kind: 'complete',
      number,
      channel,
      deliveryId,
      again: (flags & completeHas.again) !== 0,
      outcome: flags & completeHas.failed ? 'failed' : 'succeeded',
      code,
      reason,
      contentType,
      firstOutputAt,
      payload,
      transfer,
      size,
    };
    return kept === undefined ? operation : { ...operation, kept };
  },
};

export const giveBack: OperationCodec<GiveBack> = {
  code: 0x26,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.varint(operation.deliveryId);
    writer.byte(
      (operation.again ? giveBackHas.again : 0) |
        (operation.counted ? giveBackHas.counted : 0) |
        (operation.occupies ? giveBackHas.occupies : 0),
    );
    writer.text(operation.code);
    writer.text(operation.reason);
    writer.varint(operation.delayMs);
  },
  read(reader) {
    const number = reader.varint();
    const channel = reader.varint();
    const deliveryId = reader.varint();
    const flags = reader.byte();
    return {
      kind: 'giveBack',
      number,
      channel,
      deliveryId,
      again: (flags & giveBackHas.again) !== 0,
      counted: (flags & giveBackHas.counted) !== 0,
      occupies: (flags & giveBackHas.occupies) !== 0,
      code: reader.text(),
      reason: reader.text(),
      delayMs: reader.varint(),
    };
  },
};

export const touch: OperationCodec<Touch> = {
  code: 0x27,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.varint(operation.deliveryId);
  },
  read: (reader) => ({
    kind: 'touch',
    number: reader.varint(),
    channel: reader.varint(),
    deliveryId: reader.varint(),
  }),
};

export const progress: OperationCodec<Progress> = {
  code: 0x28,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.varint(operation.deliveryId);
    writer.text(operation.text);
    if (operation.notes.length === 0) return;
    writer.varint(operation.from);
    writeNotes(writer, operation.notes);
  },
  read(reader) {
    const number = reader.varint();
    const channel = reader.varint();
    const deliveryId = reader.varint();
    const text = reader.text();
    // Clients that know of no notes end here.
    const from = reader.left > 0 ? reader.varint() : 0;
    const notes = readNotes(reader);
    return { kind: 'progress', number, channel, deliveryId, text, from, notes };
  },
};

export const checkpoint: OperationCodec<Checkpoint> = {
  code: 0x2b,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.varint(operation.deliveryId);
    writer.byte(operation.transfer === 0 ? 0 : 1);
    writeBody(writer, operation);
  },
  read(reader) {
    const number = reader.varint();
    const channel = reader.varint();
    const deliveryId = reader.varint();
    const { payload, transfer, size } = readBody(reader, reader.byte() === 1);
    return { kind: 'checkpoint', number, channel, deliveryId, payload, transfer, size };
  },
};

export const recall: OperationCodec<Recall> = {
  code: 0x2c,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writer.varint(operation.index);
  },
  read: (reader) => ({
    kind: 'recall',
    number: reader.varint(),
    channel: reader.varint(),
    index: reader.varint(),
  }),
};

export const freed: OperationCodec<Freed> = {
  code: 0x29,
  write(writer, operation) {
    writer.varint(operation.channel);
    writer.varint(operation.deliveryId);
  },
  read: (reader) => ({
    kind: 'freed',
    channel: reader.varint(),
    deliveryId: reader.varint(),
  }),
};

export const report: OperationCodec<Report> = {
  code: 0x2a,
  write(writer, operation) {
    writer.varint(operation.number);
    writer.varint(operation.channel);
    writeTags(writer, operation.facts);
  },
  read: (reader) => ({
    kind: 'report',
    number: reader.varint(),
    channel: reader.varint(),
    facts: readTags(reader),
  }),
};

function watchFlags(operation: OpenWatch): number {
  return (
    (operation.indexOnly ? watchHas.indexOnly : 0) |
    (operation.autoCommit ? watchHas.autoCommit : 0) |
    (operation.worker ? watchHas.worker : 0) |
    (operation.tags.size > 0 ? watchHas.tags : 0) |
    (operation.id === '' ? 0 : watchHas.id) |
    (operation.holding.length > 0 ? watchHas.holding : 0) |
    (operation.revision > 0 ? watchHas.revision : 0) |
    (operation.fetches === true ? watchHas.fetches : 0)
  );
}

function pauseOrResume(kind: Pause['kind'], code: number): OperationCodec<Pause> {
  return {
    code,
    write: (writer, operation) => writer.varint(operation.watch),
    read: (reader) => ({ kind, watch: reader.varint() }),
  };
}
