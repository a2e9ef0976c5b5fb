// The indexes of a queue's messages by priority, highest first: the order in which a group's
// cursors walk over fresh messages.

import { IndexTable, noColumns } from './index-table.ts';

export interface Lane {
  readonly priority: number;
  readonly indexes: IndexTable<undefined>;
}

export class Lanes {
  // Descending by priority; a lane without messages is dropped, but for priority 0.
  readonly #lanes: Lane[] = [{ priority: 0, indexes: new IndexTable(noColumns) }];

  get list(): readonly Lane[] {
    return this.#lanes;
  }

  add(index: number, priority: number): void {
    const at = this.#position(priority);
    let lane = this.#lanes[at];
    if (lane?.priority !== priority) {
      lane = { priority, indexes: new IndexTable(noColumns) };
      this.#lanes.splice(at, 0, lane);
    }
    lane?.indexes.append(index);
  }

  /** True when the lane is gone with it, and cursors in it can be forgotten. */
  remove(index: number, priority: number): boolean {
    const at = this.#position(priority);
    const lane = this.#lanes[at];
    if (lane?.priority !== priority) return false;
    lane.indexes.remove(index);
    if (lane.indexes.length > 0 || priority === 0) return false;
    this.#lanes.splice(at, 1);
    return true;
  }

  /** How many messages come before (priority, index) in the order of rule 8. */
  rank(index: number, priority: number): number {
    let rank = 0;
    for (const lane of this.#lanes) {
      if (lane.priority < priority) break;
      rank += lane.priority > priority ? lane.indexes.length : lane.indexes.countBelow(index);
    }
    return rank;
  }

  /** How many messages have this priority. */
  count(priority: number): number {
    const lane = this.#lanes[this.#position(priority)];
    return lane?.priority === priority ? lane.indexes.length : 0;
  }

  #position(priority: number): number {
    let low = 0;
    let high = this.#lanes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lanes[middle]?.priority ?? 0) > priority) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
