// A thread of its own that brings sealed segments of the journal into the table, each in one
// transaction: the table is always as it was between two appends.

import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Table } from '../table.ts';
import { reachRow } from './reach.ts';
import { finalRows } from './replay.ts';
import { damagedJournal, readSegment, readSegmentHeader } from './segment.ts';

export interface ApplyTask {
  readonly path: string;
  /** What the segment must have. */
  readonly records: number;
}

/** `error` without an outcome. */
export interface ApplyAnswer {
  readonly outcome: 'done' | 'full' | undefined;
  readonly error: string;
}

function apply(table: Table, { path, records }: ApplyTask): ApplyAnswer {
  try {
    const bytes = readFileSync(path);
    const header = readSegmentHeader(bytes);
    const bodies = header === undefined ? [] : readSegment(bytes, header);
    if (bodies.length !== records) throw damagedJournal(`${path} has ${bodies.length} records`);
    const { generation } = header ?? { generation: 0 };
    const reach = reachRow({ applied: generation, present: generation + 1 });
    return { outcome: table.apply([...finalRows(bodies), reach]), error: '' };
  } catch (error) {
    return { outcome: undefined, error: error instanceof Error ? `${error.stack}` : `${error}` };
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
