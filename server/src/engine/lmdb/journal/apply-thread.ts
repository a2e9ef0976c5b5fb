// A thread of its own that brings sealed segments of the journal into the table, each in one
// transaction: the table is always as it was between two appends.

import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Table } from '../table.ts';
import { reachRow } from './reach.ts';
import { segmentRows } from './replay.ts';
import { damagedJournal, readSegment, readSegmentHeader } from './segment.ts';

export interface ApplyTask {
  readonly path: string;
  /** How much of the file is the segment, and what that must have. */
  readonly bytes: number;
  readonly records: number;
}

/** `error` without an outcome. */
export interface ApplyAnswer {
  readonly outcome: 'done' | 'full' | undefined;
  readonly error: string;
}

function apply(table: Table, { path, bytes: length, records }: ApplyTask): ApplyAnswer {
  try {
    const bytes = readStart(path, length);
    const header = readSegmentHeader(bytes);
    const bodies = header === undefined ? [] : readSegment(bytes, header);
    if (bodies.length !== records) throw damagedJournal(`${path} has ${bodies.length} records`);
    const { generation } = header ?? { generation: 0 };
    const reach = reachRow({ applied: generation, present: generation + 1 });
    return { outcome: table.apply([...segmentRows(bodies), reach]), error: '' };
  } catch (error) {
    return { outcome: undefined, error: error instanceof Error ? `${error.stack}` : `${error}` };
  }
}

let room = Buffer.alloc(0);

/** The first bytes of a file, which stay as they are until the next call. */
function readStart(path: string, length: number): Buffer {
  if (room.length < length) room = Buffer.allocUnsafeSlow(length);
  const file = openSync(path, 'r');
  try {
    let done = 0;
    while (done < length) {
      const read = readSync(file, room, done, length - done, done);
      if (read === 0) break;
      done += read;
    }
    return room.subarray(0, done);
  } finally {
    closeSync(file);
  }
}

const port = parentPort;
if (port !== null) {
  const table = new Table({ folder: workerData.folder });
  port.on('message', async (task: ApplyTask | 'end') => {
    if (task === 'end') {
      await table.close();
      port.close();
    } else {
      port.postMessage(apply(table, task));
    }
  });
}
