// Where the payload of a message lies: in one row with its meta, or in a row of its own. The
// engine has the first; the second lives only here, so that the choice can be measured again.

import { Changes } from '../server/src/engine/lmdb/changes.ts';
import { bodyBytesMax, writeBody } from '../server/src/engine/lmdb/journal/body.ts';
import { finalRows } from '../server/src/engine/lmdb/journal/replay.ts';
import { kinds } from '../server/src/engine/lmdb/keys.ts';
import {
  readMessage,
  storedPayload,
  writeMessage,
  writeStored,
} from '../server/src/engine/lmdb/stored.ts';
import { Table } from '../server/src/engine/lmdb/table.ts';
import type { MessageMeta } from '../server/src/queue/message.ts';

const service = 1;
const payloadKind = 32;
const messages = 300_000;
const perTransaction = 64;
const payload = Buffer.alloc(1024, 'x');

interface Layout {
  readonly name: string;
  put(changes: Changes, meta: MessageMeta): void;
  remove(changes: Changes, index: number): void;
}

const oneRow: Layout = {
  name: 'one row',
  put(changes, meta) {
    changes.writer.begin();
    writeMessage(changes.writer, meta, storedPayload(payload, undefined));
    changes.put(service, kinds.message, meta.index, 0, payload);
  },
  remove: (changes, index) => changes.remove(service, kinds.message, index, 0),
};

const twoRows: Layout = {
  name: 'two rows',
  put(changes, meta) {
    changes.writer.begin();
    writeMessage(changes.writer, meta, storedPayload(payload, undefined));
    changes.put(service, kinds.message, meta.index, 0);
    changes.writer.begin();
    writeStored(changes.writer, storedPayload(payload, undefined));
    changes.put(service, payloadKind, meta.index, 0, payload);
  },
  remove(changes, index) {
    changes.remove(service, kinds.message, index, 0);
    changes.remove(service, payloadKind, index, 0);
  },
};

/** Puts, scans as a start does, and removes some hundred thousand messages in each layout. */
export async function compareLayouts(
  folder: string,
  meta: (index: number, source: number) => MessageMeta,
): Promise<readonly string[]> {
  const lines = ['layout        put/s   scan/s   pair/s  file bytes/message'];
  for (const layout of [oneRow, twoRows]) {
    const table = new Table({ folder: `${folder}-${layout.name.replace(' ', '-')}` });
    const changes = new Changes();
    const write = (count: number, add: (index: number) => void): number => {
      const begun = performance.now();
      for (let first = 1; first <= count; first += perTransaction) {
        for (let at = 0; at < perTransaction; at++) add(first + at);
        table.apply(finalRows([bodyOf(changes)]));
        changes.clear();
      }
      return count / ((performance.now() - begun) / 1000);
    };
    const puts = write(messages, (index) => layout.put(changes, meta(index, 0)));
    const { fileBytes } = table.space();
    const begun = performance.now();
    let seen = 0;
    for (const _ of table.scan.kind(service, kinds.message, 0, readMessage)) seen++;
    const scan = seen / ((performance.now() - begun) / 1000);
    // As a queue lives: one comes in at the tail, one leaves at the head.
    const pairs = write(messages, (index) => {
      layout.put(changes, meta(messages + index, 0));
      layout.remove(changes, index);
    });
    await table.close();
    lines.push(
      [
        layout.name.padEnd(9),
        puts.toFixed(0).padStart(9),
        scan.toFixed(0).padStart(8),
        pairs.toFixed(0).padStart(8),
        (fileBytes / messages).toFixed(0).padStart(19),
      ].join(' '),
    );
  }
  return lines;
}

function bodyOf(changes: Changes): Buffer {
  const body = Buffer.alloc(bodyBytesMax(changes));
  return body.subarray(0, writeBody(changes, body, 0));
}
