// Rows of a whole service for its recovery, in bounded parts: the table's first ones are read here,
// the many that may follow by a thread of their own, so that reading and taking up go side by side.
// The journal's rows lie between them.

import { type PackedHeads, visitHeads } from './heads.ts';
import type { Overlay } from './journal/overlay.ts';
import type { RowKey } from './keys.ts';
import { Interleaving } from './rows.ts';
import { damagedRow, type Step, type Visit } from './scan.ts';
import type { Scanner } from './scanner.ts';
import type { Table } from './table.ts';

export interface RowStreamOptions {
  readonly table: Table;
  readonly overlay: Overlay;
  readonly scanner: Scanner;
}

/** Rows of one part: what is made of them is gone again soon. */
const partRows = 512;
/** Rows that are read without the thread. */
const firstRows = 2048;

export class RowStream {
  readonly #options: RowStreamOptions;

  constructor(options: RowStreamOptions) {
    this.#options = options;
  }

  /** What `visit` makes of every row of one kind of a service, in parts. Nothing of the kind may be
   * written meanwhile. */
  async *kind<T>(service: number, kind: number, visit: Visit<T>): AsyncIterable<readonly T[]> {
    const fresh = this.#options.overlay.kind(service, kind, 0);
    if (fresh.length === 0) {
      yield* this.#old(service, kind, visit);
      return;
    }
    const between = new Interleaving({ service, kind, fresh, visit });
    for await (const olds of this.#old(service, kind, between.visitOld)) {
      const part: T[] = [];
      for (const old of olds) for (const value of between.upTo(old)) part.push(value);
      yield part;
    }
    yield [...between.rest()];
  }

  async *#old<T>(service: number, kind: number, visit: Visit<T>): AsyncIterable<readonly T[]> {
    const { table, scanner } = this.#options;
    let next: RowKey | undefined = { service, kind, index: 0, sub: 0 };
    for (let rows = 0; rows < firstRows && next !== undefined; rows += partRows) {
      const step: Step<T> = table.scan.step(next, partRows, visit);
      yield step.made;
      next = step.next;
    }
    if (next === undefined) return;
    // The thread reads the file itself.
    const unpin = table.pin();
    try {
      for await (const heads of scanner.heads(next)) yield visited(heads, { service, kind, visit });
    } finally {
      unpin();
    }
  }
}

interface Visiting<T> {
  readonly service: number;
  readonly kind: number;
  readonly visit: Visit<T>;
}

function visited<T>(heads: PackedHeads, { service, kind, visit }: Visiting<T>): readonly T[] {
  let at = 0;
  const noting: Visit<T> = (reader, index, sub) => {
    at = index;
    return visit(reader, index, sub);
  };
  try {
    return visitHeads(heads, noting);
  } catch (error) {
    throw damagedRow(error, service, kind, at);
  }
}
