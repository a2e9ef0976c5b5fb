// The registry's durable memory: definitions, and the last number given out. A number is never
// given out twice, not even after its service is gone, because rows are keyed by it.

import {
  counterRow,
  type Definition,
  decodeCounter,
  decodeDefinition,
  encodeCounter,
  encodeDefinition,
} from './definition.ts';
import type { DefinitionStore } from './ports.ts';

export interface LedgerEntry {
  readonly number: number;
  readonly name: string;
  readonly definition: Definition;
}

/** What was found at a start; `definition` is undefined where it is damaged. */
export interface LoadedEntry {
  readonly number: number;
  readonly name: string;
  readonly definition: Definition | undefined;
}

export class Ledger {
  readonly #store: DefinitionStore;
  #lastNumber = 0;
  #saving: Promise<void> = Promise.resolve();

  constructor(store: DefinitionStore) {
    this.#store = store;
  }

  /** Reads everything; throws when something was written by a newer Sluice. */
  async load(): Promise<readonly LoadedEntry[]> {
    const entries: LoadedEntry[] = [];
    for (const { number, name, definition } of await this.#store.definitions()) {
      if (number === counterRow.number) {
        this.#lastNumber = Math.max(this.#lastNumber, decodeCounter(definition));
        continue;
      }
      this.#lastNumber = Math.max(this.#lastNumber, number);
      entries.push({ number, name, definition: decodeDefinition(name, definition) });
    }
    return entries;
  }

  /** A new number; that it was given out is durable when this resolves. */
  async nextNumber(): Promise<number> {
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    // One after the other, each with the newest value, so that a late write can't set it back.
    const save = (): Promise<void> =>
      this.#store.saveDefinition({ ...counterRow, definition: encodeCounter(this.#lastNumber) });
    const mine = this.#saving.then(save, save);
    this.#saving = mine.catch(() => undefined);
    await mine;
    return number;
  }

  /** Durable when it resolves. */
  async save(entry: LedgerEntry): Promise<void> {
    const { number, name, definition } = entry;
    await this.#store.saveDefinition({ number, name, definition: encodeDefinition(definition) });
  }

  /** Removes a service's definition and rows. */
  async drop(number: number): Promise<void> {
    await this.#store.dropService(number);
  }
}
