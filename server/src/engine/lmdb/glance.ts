// A look at a table before it is opened in earnest. Runs in the child process of health.ts, because
// reading a damaged file may crash native code.

import { join } from 'node:path';
import { RowError, RowReader } from '../codec.ts';
import { journalFolder } from './journal/journal.ts';
import { checkReach } from './journal/reach.ts';
import { readJournal } from './journal/replay.ts';
import { keyBytes, lastKey, parseKey, type RowKey, seedOf } from './keys.ts';
import { rowsName, tableFiles } from './names.ts';
import { checkPages } from './pages/check-pages.ts';
import { openTable, type Table } from './table.ts';

/** Rows looked at from each end of the table when it is opened, and places looked at between. */
const glanceRows = 2000;
const glancePlaces = 100;
/** Files with more pages (32 MB) have only their heads checked page by page. */
const glancePages = 8192;

/**
 * A look in bounded time, which does everything that a start is going to do: both ends of the
 * table, places between, the journal, and a write that is thrown away. Throws for the first damage.
 */
export async function glance(folder: string): Promise<void> {
  const path = join(folder, tableFiles.data);
  const [damage] = checkPages(path, { table: rowsName, pagesMax: glancePages });
  if (damage !== undefined) throw new RowError(`page ${damage.page}: ${damage.what}`);
  const journal = await readJournal(journalFolder(folder));
  const table = openTable(folder, false);
  if (table === undefined) return;
  try {
    checkReach(table, journal);
    look(table);
  } finally {
    await table.close();
  }
}

function look(table: Table): void {
  const reader = new RowReader();
  let seen = 0;
  for (const { key, value } of table.ends(glanceRows)) {
    if (key.length !== keyBytes) throw new RowError('a key has a wrong length');
    reader.open(value, seedOf(parseKey(key)));
    seen++;
  }
  if (seen < 2 * Math.min(table.count, glanceRows)) throw new RowError('rows are missing');
  for (const key of placesBetween(table)) {
    for (const row of table.range(key, lastKey, 2)) {
      reader.open(row.value, seedOf(parseKey(row.key)));
    }
  }
  table.rehearse();
}

// Evenly spread over the indexes of every kind of the first services.
function placesBetween(table: Table): readonly RowKey[] {
  const places: RowKey[] = [];
  let start: RowKey = { service: 0, kind: 0, index: 0, sub: 0 };
  while (places.length < 20 * glancePlaces) {
    const [first] = table.range(start, lastKey, 1);
    if (first === undefined) break;
    const { service, kind, index } = parseKey(first.key);
    const end: RowKey = { service, kind: kind + 1, index: 0, sub: 0 };
    const last = table.last(end);
    const span = last === undefined ? 0 : parseKey(last.key).index - index;
    for (let at = 0; at < glancePlaces; at++) {
      places.push({ service, kind, index: index + Math.floor((span * at) / glancePlaces), sub: 0 });
    }
    start = end;
  }
  return places;
}
