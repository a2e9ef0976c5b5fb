// A thread of its own that brings sealed segments of the journal into the table, each in one
// transaction: the table is always as it was between two appends.

import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../kernel/clock.ts';
import { Table } from '../table.ts';
import { reachRow } from './reach.ts';
import { segmentRows } from './replay.ts';
import { damagedJournal, readSegment, readSegmentHeader } from './segment.ts';

export interface ApplyTask {
  readonly path: string;
  /** How much of the file is the segment, and what that must have. */
  readonly bytes: number;
  readonly records: number;
  /** The next one is not to be expected soon: this one may take twice as long. */
  readonly isUnhurried: boolean;
}

/** `error` without an outcome. */
export interface ApplyAnswer {
  readonly outcome: 'done' | 'full' | undefined;
  readonly error: string;
}

/** Rows between two looks at the clock, and how long is worked and rested. */
const restRows = 32;
const workMs = 0.5;
const restMs = 0.7;
const bed = new Int32Array(new SharedArrayBuffer(4));

function apply(table: Table, task: ApplyTask): ApplyAnswer {
  const { path, bytes: length, records, isUnhurried } = task;
  try {
    const bytes = readStart(path, length);
    const header = readSegmentHeader(bytes);
    const bodies = header === undefined ? [] : readSegment(bytes, header);
    if (bodies.length !== records) throw damagedJournal(`${path} has ${bodies.length} records`);
    const { generation } = header ?? { generation: 0 };
    const reach = reachRow({ applied: generation, present: generation + 1 });
    const rest = isUnhurried ? resting() : undefined;
    return { outcome: table.apply([...segmentRows(bodies), reach], rest), error: '' };
  } catch (error) {
    return { outcome: undefined, error: error instanceof Error ? `${error.stack}` : `${error}` };
  }
}

/** For long work beside that of others, which somebody waits for: to be called often, it makes the
 * thread sleep for about as long as it works. Without, three threads share two processors in slices
 * of 3 ms for ten or more. */
function resting(): () => void {
  let calls = 0;
  let since = systemClock.now().mono;
  return () => {
    calls += 1;
    if (calls % restRows !== 0 || systemClock.now().mono - since < workMs) return;
    Atomics.wait(bed, 0, 0, restMs);
    since = systemClock.now().mono;
  };
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
