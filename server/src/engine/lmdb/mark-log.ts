// Where the newest mark of every message and group lies. All marks of one append share a row, so
// that a turn with 200 deliveries writes one row and not 200; this index knows which row holds
// the newest mark of each, and says when a row holds none any more.

import { NumberTable } from '@sluice/sdk/wire';
import type { QueueName } from '../../queue/message.ts';

/** The newest mark of one message in one group. */
interface Place {
  readonly group: number;
  row: number;
  /** Position of the mark in its row while that row is being gathered. */
  slot: number;
  /** The place of the same message in another group. */
  next: Place | undefined;
}

interface RowUse {
  live: number;
  total: number;
}

/** Rows with stale marks are kept until these outnumber the live ones by far. */
const staleFactor = 4;
const staleMin = 1024;

export class MarkLog {
  readonly #places: Readonly<Record<QueueName, NumberTable<Place>>> = {
    input: new NumberTable(),
    sink: new NumberTable(),
    inputRear: new NumberTable(),
    sinkRear: new NumberTable(),
  };
  /** In the order of their numbers. */
  readonly #rows = new Map<number, RowUse>();
  #live = 0;
  #total = 0;
  #lastRow = 0;

  /** The number of the next row. */
  nextRow(): number {
    return this.#lastRow + 1;
  }

  /** A row of this number exists, whether or not it holds a live mark. */
  seen(row: number): void {
    this.#lastRow = Math.max(this.#lastRow, row);
  }

  /** Rows that hold live marks. */
  get rows(): number {
    return this.#rows.size;
  }

  /**
   * The newest mark of this message and group lies in `row` now. Answers where the one before
   * lay: its row, and its slot there.
   */
  set(
    at: { readonly queue: QueueName; readonly group: number; readonly index: number },
    row: number,
    slot: number,
  ): { readonly row: number; readonly slot: number } | undefined {
    this.seen(row);
    const places = this.#places[at.queue];
    const first = places.get(at.index);
    let place = first;
    while (place !== undefined && place.group !== at.group) place = place.next;
    this.#use(row);
    if (place === undefined) {
      places.set(at.index, { group: at.group, row, slot, next: first });
      return undefined;
    }
    const before = { row: place.row, slot: place.slot };
    this.#release(place.row);
    // Both in one row: the one before will not be written.
    if (before.row === row) this.#forget(row);
    place.row = row;
    place.slot = slot;
    return before;
  }

  /** The row with the newest mark. */
  find(queue: QueueName, group: number, index: number): number | undefined {
    let place = this.#places[queue].get(index);
    while (place !== undefined && place.group !== group) place = place.next;
    return place?.row;
  }

  /** The message leaves its queue. `gone` is told of each of its marks. */
  removeMessage(queue: QueueName, index: number, gone: (row: number, slot: number) => void): void {
    const places = this.#places[queue];
    let place = places.get(index);
    if (place === undefined) return;
    places.delete(index);
    for (; place !== undefined; place = place.next) {
      this.#release(place.row);
      gone(place.row, place.slot);
    }
  }

  removeGroup(queue: QueueName, group: number, gone: (row: number, slot: number) => void): void {
    const places = this.#places[queue];
    for (const [index, first] of places.entries()) {
      let before: Place | undefined;
      let place: Place | undefined = first;
      while (place !== undefined && place.group !== group) {
        before = place;
        place = place.next;
      }
      if (place === undefined) continue;
      if (before !== undefined) before.next = place.next;
      else if (place.next !== undefined) places.set(index, place.next);
      else places.delete(index);
      this.#release(place.row);
      gone(place.row, place.slot);
    }
  }

  /** Whether nothing in `row` is current any more; if so the row is forgotten. */
  retire(row: number): boolean {
    const use = this.#rows.get(row);
    if (use === undefined) return false;
    if (use.live > 0) return false;
    this.#rows.delete(row);
    this.#total -= use.total;
    return true;
  }

  /** The oldest row when too many marks are stale: its live marks should be written anew. */
  rowToRewrite(): number | undefined {
    if (this.#total - this.#live < staleMin + staleFactor * this.#live) return undefined;
    for (const row of this.#rows.keys()) return row;
    return undefined;
  }

  /** Every message that has a mark. */
  *messages(): Iterable<{ readonly queue: QueueName; readonly index: number }> {
    for (const queue of ['input', 'sink', 'inputRear', 'sinkRear'] as const) {
      for (const [index] of this.#places[queue].entries()) yield { queue, index };
    }
  }

  #use(row: number): void {
    const use = this.#rows.get(row);
    if (use === undefined) this.#rows.set(row, { live: 1, total: 1 });
    else {
      use.live++;
      use.total++;
    }
    this.#live++;
    this.#total++;
  }

  #forget(row: number): void {
    const use = this.#rows.get(row);
    if (use !== undefined) use.total--;
    this.#total--;
  }

  #release(row: number): void {
    const use = this.#rows.get(row);
    if (use !== undefined) use.live--;
    this.#live--;
  }
}
