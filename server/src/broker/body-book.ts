// Which files outside of the queues one service's messages and records name: bodies too large for a
// queue. Kept in memory beside the rules, from what was recovered and what became durable since, so
// that what nobody names any more can be told without reading every row.

import type { Engine, Row } from '../engine/engine.ts';
import { readAfterwards } from '../queue/afterwards.ts';
import type { Durable } from '../queue/change.ts';
import { type BodyPlace, readTerms } from '../queue/terms.ts';

type Place = 'input' | 'inputRear' | 'record';

export class BodyBook {
  readonly #names: Readonly<Record<Place, Map<number, string>>> = {
    input: new Map(),
    inputRear: new Map(),
    record: new Map(),
  };
  #isWhole = false;

  /** Everything known before is void: rows follow. */
  begin(): void {
    this.#isWhole = false;
    for (const names of Object.values(this.#names)) names.clear();
  }

  row(row: Row): void {
    if (row.kind === 'message' && (row.queue === 'input' || row.queue === 'inputRear')) {
      this.#note(row.queue, row.meta.index, bodyOf(row.meta.terms));
    } else if (row.kind === 'record') {
      this.#note('record', row.record.index, readAfterwards(row.record.after).result);
    }
  }

  /** All rows were there. */
  whole(): void {
    this.#isWhole = true;
  }

  /** These changes are durable. */
  changed(changes: readonly Durable[]): void {
    for (const change of changes) {
      switch (change.kind) {
        case 'put': {
          const { terms, index } = change.message.meta;
          if (terms === undefined) break;
          if (change.queue === 'input' || change.queue === 'inputRear') {
            this.#note(change.queue, index, bodyOf(terms));
          }
          break;
        }
        case 'remove':
          if (change.queue === 'input' || change.queue === 'inputRear') {
            this.#names[change.queue].delete(change.index);
          }
          break;
        case 'complete':
          this.#names.input.delete(change.index);
          this.#note('record', change.index, readAfterwards(change.closing.after).result);
          break;
        case 'dead':
          if (change.queue === 'input') this.#died(change.index, change.rear?.index);
          break;
        case 'record':
          this.#note('record', change.record.index, readAfterwards(change.record.after).result);
          break;
        case 'trimRecords':
          for (const index of this.#names.record.keys()) {
            if (index < change.below) this.#names.record.delete(index);
          }
          break;
        default:
      }
    }
  }

  /** Adds all names; false when they are not all known at the moment. */
  addTo(names: Set<string>): boolean {
    if (!this.#isWhole) return false;
    for (const some of Object.values(this.#names)) {
      for (const name of some.values()) names.add(name);
    }
    return true;
  }

  #died(index: number, rearIndex: number | undefined): void {
    const name = this.#names.input.get(index);
    if (name === undefined) return;
    this.#names.input.delete(index);
    if (rearIndex !== undefined) this.#names.inputRear.set(rearIndex, name);
  }

  #note(place: Place, index: number, body: BodyPlace | undefined): void {
    if (body?.kind === 'file') this.#names[place].set(index, body.name);
  }
}

/** The books of all services, those of closed ones too: nothing of theirs changes meanwhile. */
export class BodyBooks {
  readonly #engine: Engine;
  readonly #books = new Map<number, BodyBook>();
  readonly #reading = new Map<number, Promise<void>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The book of a service that is about to be recovered, after `settled`. */
  open(service: number): BodyBook {
    const book = this.#books.get(service) ?? new BodyBook();
    this.#books.set(service, book);
    book.begin();
    return book;
  }

  /** Resolves when nobody reads the rows of a service that is not open. */
  async settled(service: number): Promise<void> {
    await this.#reading.get(service)?.catch(() => undefined);
  }

  /** The service is gone with all that it named. */
  drop(service: number): void {
    this.#books.delete(service);
  }

  /** Every name; undefined while those of some service can't be told. */
  async names(): Promise<ReadonlySet<string> | undefined> {
    const numbers = (await this.#engine.definitions()).map(({ number }) => number);
    for (const number of numbers) if (!this.#books.has(number)) await this.#read(number);
    const names = new Set<string>();
    for (const number of numbers) if (this.#books.get(number)?.addTo(names) !== true) return;
    return names;
  }

  /** Of a service that was not opened since the start. */
  async #read(service: number): Promise<void> {
    const book = new BodyBook();
    const fill = async (): Promise<void> => {
      for await (const rows of this.#engine.recover(service)) for (const row of rows) book.row(row);
      book.whole();
    };
    const reading = fill();
    this.#reading.set(service, reading);
    try {
      await reading;
      if (!this.#books.has(service)) this.#books.set(service, book);
    } finally {
      this.#reading.delete(service);
    }
  }
}

function bodyOf(terms: string | undefined): BodyPlace | undefined {
  return terms === undefined ? undefined : readTerms(terms).body;
}
