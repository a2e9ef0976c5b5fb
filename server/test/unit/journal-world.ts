// Segments of a journal for tests: records with bodies of chosen rows, as the journal writes them,
// and a folder of segment files to read back.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BodySource, writeBody } from '../../src/engine/lmdb/journal/body.ts';
import {
  recordBytes,
  recordSpace,
  type SegmentHeader,
  sealRecord,
  segmentBlock,
} from '../../src/engine/lmdb/journal/segment.ts';
import { keyBytes, makeKey, type RowKey } from '../../src/engine/lmdb/keys.ts';

/** A row to write, or null to remove it. */
export interface Change {
  readonly key: RowKey;
  readonly row: Buffer | null;
}

/** A key of service 1, as most tests need one. */
export function keyAt(index: number, kind = 2): RowKey {
  return { service: 1, kind, index, sub: 0 };
}

/** Changes as the journal takes them. */
export function sourceOf(changes: readonly Change[]): BodySource {
  return {
    count: changes.length,
    bytes: changes.reduce((sum, { row }) => sum + (row?.length ?? 0), 0),
    write(sink) {
      for (const { key, row } of changes) {
        if (row === null) sink.remove(makeKey(key));
        else sink.put(makeKey(key), row);
      }
    },
  };
}

/** The body of a record with these changes. */
export function bodyOf(changes: readonly Change[]): Buffer {
  const source = sourceOf(changes);
  const body = Buffer.alloc(source.bytes + source.count * (keyBytes + 4));
  writeBody(source, body, 0);
  return body;
}

/** The bytes of a whole segment. */
export function segmentOf(header: SegmentHeader, bodies: readonly Buffer[]): Buffer {
  const records = bodies.map((body, number) => recordOf(header, number, body));
  return Buffer.concat([segmentBlock(header), ...records]);
}

/** The bytes of one record, up to the end of its last block. */
export function recordOf(header: SegmentHeader, number: number, body: Buffer): Buffer {
  const record = Buffer.alloc(recordSpace(body.length));
  body.copy(record, recordBytes);
  sealRecord(record, header, number, body.length);
  return record;
}

/** Calls `use` with a new folder, and removes it. */
export async function inFolder<Value>(use: (folder: string) => Promise<Value>): Promise<Value> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Calls `use` with a folder that holds these files. */
export function withFiles<Value>(
  files: Readonly<Record<string, Buffer>>,
  use: (folder: string) => Promise<Value>,
): Promise<Value> {
  return inFolder(async (folder) => {
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
    return use(folder);
  });
}
