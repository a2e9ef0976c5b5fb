// The rows of the journal in memory: what reads have to see before the table has it. At most two
// segments' worth: the one that is written and the one on its way into the table. Records are taken
// as they are and looked into when something is read: most rows are gone before that.

import { indexAt, kindAt, type RowKey, serviceAt, subAt } from '../keys.ts';
import { eachChange } from './body.ts';

/** A row that is not in the table yet, or null for one that is no more. */
export type FreshRow = Buffer | null;

export interface FreshEntry {
  readonly index: number;
  readonly sub: number;
  readonly row: FreshRow;
}

/** By sub-key, then by index: sub-keys are few, indexes many. */
type KindRows = Map<number, Map<number, FreshRow>>;

const afterAll = Number.POSITIVE_INFINITY;

class Layer {
  readonly #kinds = new Map<number, KindRows>();
  #unread: Buffer[] = [];
  #isEmpty = true;

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  add(body: Buffer): void {
    this.#isEmpty = false;
    this.#unread.push(body);
  }

  find({ service, kind, index, sub }: RowKey): FreshRow | undefined {
    this.#readAll();
    return this.#kinds.get(placeOf(service, kind))?.get(sub)?.get(index);
  }

  kind(service: number, kind: number): KindRows | undefined {
    this.#readAll();
    return this.#kinds.get(placeOf(service, kind));
  }

  #readAll(): void {
    if (this.#unread.length === 0) return;
    const bodies = this.#unread;
    this.#unread = [];
    for (const body of bodies) this.#read(body);
  }

  #read(body: Buffer): void {
    let last = -1;
    let rows: KindRows = new Map();
    eachChange(body, (at, row) => {
      const place = placeOf(serviceAt(body, at), kindAt(body, at));
      if (place !== last) {
        rows = entryOf(this.#kinds, place, () => new Map());
        last = place;
      }
      entryOf(rows, subAt(body, at), () => new Map<number, FreshRow>()).set(indexAt(body, at), row);
    });
  }
}

export class Overlay {
  #newest = new Layer();
  #sealed: Layer | undefined;

  /** Adds what a record says. Keeps the body. */
  add(body: Buffer): void {
    this.#newest.add(body);
  }

  /** Whether nothing was added since the last `seal`. */
  get isEmpty(): boolean {
    return this.#newest.isEmpty;
  }

  /** What was added so far is on its way into the table. */
  seal(): void {
    this.#sealed = this.#newest;
    this.#newest = new Layer();
  }

  /** What was sealed is in the table now. */
  drop(): void {
    this.#sealed = undefined;
  }

  /** undefined: the table knows. */
  find(key: RowKey): FreshRow | undefined {
    const row = this.#newest.find(key);
    return row === undefined ? this.#sealed?.find(key) : row;
  }

  /** Every row of a kind with index `from` and up, up to and without `below`, by index and sub-key. */
  kind(
    service: number,
    kind: number,
    from: number,
    below: number = afterAll,
  ): readonly FreshEntry[] {
    const entries: FreshEntry[] = [];
    const newest = this.#newest.kind(service, kind);
    const collect = (layer: KindRows | undefined, under?: KindRows): void => {
      for (const [sub, rows] of layer ?? []) {
        for (const [index, row] of rows) {
          if (index < from || index >= below || under?.get(sub)?.has(index) === true) continue;
          entries.push({ index, sub, row });
        }
      }
    };
    collect(newest);
    collect(this.#sealed?.kind(service, kind), newest);
    return entries.sort((a, b) => a.index - b.index || a.sub - b.sub);
  }
}

function placeOf(service: number, kind: number): number {
  return service * 256 + kind;
}

function entryOf<Value>(map: Map<number, Value>, key: number, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
