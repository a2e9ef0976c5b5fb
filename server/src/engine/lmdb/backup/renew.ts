// The new life of restored services. What a server gave out after the backup was made, delivery
// ids and indexes, is still in the hands of workers and clients, and the restored server doesn't
// know of it. Were it to give the same numbers out again, a late completion, commit or deletion of
// that life would hit a message of this one. So the numbers go on far above all that can have been
// given out.

import { systemRandom } from '../../../kernel/random.ts';
import type { ServiceState } from '../../../queue/transition.ts';
import { RowReader, RowWriter } from '../../codec.ts';
import { readState, writeState } from '../../rows-codec.ts';
import type { FinalRow } from '../journal/replay.ts';
import { kinds, lastKey, makeKey, parseKey, type RowKey, seedOf } from '../keys.ts';
import { openTable, type Table } from '../table.ts';

/**
 * Epochs rise by one with each start of a server and each failed append, and stay below 2^21: room
 * for 340 restores, each of them above 4,096 such events since its backup. Random, because
 * two lives may begin with the same backup.
 */
const epochStep = 4096;
const epochEnd = 2 ** 21 - 1;

/**
 * Indexes stay below 2^53: room for 5,000 restores, each above a million million messages since its
 * backup: more than a year at 30,000 a second.
 */
const indexStep = 2 ** 40;
const indexEnd = 2 ** 53 - 1;

/** Durable when it resolves. */
export async function renewServices(queue: string): Promise<void> {
  const table = openTable(queue, false);
  if (table === undefined) return;
  try {
    const rows: FinalRow[] = [];
    for (const service of servicesIn(table)) {
      const key: RowKey = { service, kind: kinds.state, index: 0, sub: 0 };
      const row = table.get(makeKey(key));
      if (row === undefined) continue;
      const reader = new RowReader();
      reader.open(row, seedOf(key));
      const writer = new RowWriter();
      writer.begin();
      writeState(writer, newLife(readState(reader)));
      rows.push({ key: makeKey(key), row: writer.end(seedOf(key)) });
    }
    if (table.apply(rows) === 'full') throw new Error('no space left for the states');
  } finally {
    await table.close();
  }
}

/** The state with which a restored service goes on. */
export function newLife(state: ServiceState): ServiceState {
  const [input, sink, inputRear, sinkRear] = state.lastIndexes;
  return {
    ...state,
    epoch: beyond(state.epoch, epochStep, epochEnd),
    lastIndexes: [
      beyond(input, indexStep, indexEnd),
      beyond(sink, indexStep, indexEnd),
      beyond(inputRear, indexStep, indexEnd),
      beyond(sinkRear, indexStep, indexEnd),
    ],
  };
}

// One to two steps on; at the very end less, so that a restore never is the one that fails.
function beyond(value: number, step: number, end: number): number {
  const own = Math.min(step, Math.floor((end - value) / 4));
  return value + own + Math.floor(own * systemRandom.fraction());
}

/** Every number under which there are rows, the engine's own among them. */
function* servicesIn(table: Table): Iterable<number> {
  for (let service = 0; ; ) {
    const [row] = table.range({ service, kind: 0, index: 0, sub: 0 }, lastKey, 1);
    if (row === undefined) return;
    const found = parseKey(row.key).service;
    yield found;
    if (found >= lastKey.service) return;
    service = found + 1;
  }
}
