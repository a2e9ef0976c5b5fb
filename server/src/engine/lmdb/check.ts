// Runs as a process of its own, before a data folder is opened in earnest: looks at the table in
// bounded time, so that a file which crashes native code crashes this process and not the server.
// Tells its parent in one message what is wrong, or that nothing is.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { RowReader } from '../codec.ts';
import { keyBytes } from './keys.ts';
import { rowsName, spaceInside } from './table.ts';

/** Rows looked at from each end of the table. */
const rowsMax = 2000;

function check(folder: string): void {
  const root = open<Uint8Array, Uint8Array>({
    path: folder,
    readOnly: true,
    encoding: 'binary',
    keyEncoding: 'binary',
  });
  const rows = root.openDB<Uint8Array, Uint8Array>(rowsName, {
    encoding: 'binary',
    keyEncoding: 'binary',
  });
  // The table was not made yet: the first start ended too early.
  if (rows === undefined) return;
  const { size } = statSync(join(folder, 'data.mdb'));
  const { fileBytes } = spaceInside(root.getStats(), rows.getStats());
  if (size < fileBytes) throw new Error(`data.mdb has ${size} of ${fileBytes} bytes`);
  const reader = new RowReader();
  for (const reverse of [false, true]) {
    for (const { key, value } of rows.getRange({ reverse, limit: rowsMax })) {
      if (key.length !== keyBytes) throw new Error('a key has a wrong length');
      reader.open(value);
    }
  }
}

/** What the parent is told. */
export interface CheckResult {
  readonly damage: string | undefined;
}

function result(): CheckResult {
  try {
    check(process.argv[2] ?? '');
    return { damage: undefined };
  } catch (error) {
    return { damage: error instanceof Error ? error.message : String(error) };
  }
}

process.send?.(result());
