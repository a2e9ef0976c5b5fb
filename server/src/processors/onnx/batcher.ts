// Dynamic batching: items that come one by one are worked on together. Knows nothing of tensors:
// items of one key fit together, each counts as so many rows, and one run at a time works on a lot.
// A lot is due when it is full or its first item has waited long enough; while another lot runs it
// still grows. Every item gets its own result or its own error.

import type { Clock, Timer } from '../../kernel/clock.ts';

export interface BatcherOptions<Item, Result> {
  /** Most rows of a lot; an item with more is a lot of its own. */
  readonly rowsMax: number;
  /** How long the first item of a lot waits for others; 0: until the event loop's next turn. */
  readonly delayMs: number;
  readonly clock: Clock;
  /** Items with the same key may be in one lot. */
  keyOf(item: Item): string;
  rowsOf(item: Item): number;
  /** One result for each item, in their order. */
  run(items: readonly Item[]): Promise<readonly Result[]>;
}

/** How well lots were filled since the start. */
export interface BatchCounts {
  readonly runs: number;
  readonly items: number;
  readonly rows: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly rows: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  /** Its caller has left. */
  isGone: boolean;
  /** Undoes the wait for its caller's leaving. */
  readonly forget: () => void;
}

interface Lot<Item, Result> {
  readonly key: string;
  items: Waiting<Item, Result>[];
  rows: number;
  isDue: boolean;
  timer: Timer | undefined;
}

export class Batcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>;
  /** In the order of their first items. */
  readonly #lots = new Set<Lot<Item, Result>>();
  /** The lot of each key that still takes items. */
  readonly #open = new Map<string, Lot<Item, Result>>();
  #isRunning = false;
  #counts = { runs: 0, items: 0, rows: 0 };

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options;
  }

  get counts(): BatchCounts {
    return { ...this.#counts };
  }

  /**
   * Resolves with the item's result. Rejects with what the run of this item alone threw, or with
   * the signal's reason: an item whose caller leaves before its lot runs is not worked on.
   */
  submit(item: Item, signal: AbortSignal): Promise<Result> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const rows = this.#options.rowsOf(item);
    const lot = this.#lotFor(this.#options.keyOf(item), rows);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.isGone = true;
        this.#remove(lot, waiting);
        reject(signal.reason);
      };
      const forget = (): void => signal.removeEventListener('abort', leave);
      const waiting = { item, rows, resolve, reject, forget, isGone: false };
      signal.addEventListener('abort', leave, { once: true });
      lot.items.push(waiting);
      lot.rows += rows;
      if (lot.rows >= this.#options.rowsMax) this.#close(lot);
      else if (lot.items.length === 1) this.#wait(lot);
    });
  }

  /** The lot that takes `rows` more; one that can't is due as it is. */
  #lotFor(key: string, rows: number): Lot<Item, Result> {
    const open = this.#open.get(key);
    if (open !== undefined && open.rows + rows <= this.#options.rowsMax) return open;
    if (open !== undefined) this.#close(open);
    const lot: Lot<Item, Result> = { key, items: [], rows: 0, isDue: false, timer: undefined };
    this.#lots.add(lot);
    this.#open.set(key, lot);
    return lot;
  }

  #wait(lot: Lot<Item, Result>): void {
    const { clock, delayMs } = this.#options;
    const due = (): void => {
      lot.isDue = true;
      this.#next();
    };
    if (delayMs > 0) lot.timer = clock.after(delayMs, due);
    else clock.defer(due);
  }

  /** Takes nothing more, and is due. */
  #close(lot: Lot<Item, Result>): void {
    if (this.#open.get(lot.key) === lot) this.#open.delete(lot.key);
    lot.timer?.cancel();
    lot.isDue = true;
    this.#next();
  }

  #remove(lot: Lot<Item, Result>, waiting: Waiting<Item, Result>): void {
    // A lot that runs has left the lists: there is nothing to undo, and its result finds nobody.
    lot.items = lot.items.filter((each) => each !== waiting);
    lot.rows -= waiting.rows;
    if (lot.items.length > 0) return;
    lot.timer?.cancel();
    this.#lots.delete(lot);
    if (this.#open.get(lot.key) === lot) this.#open.delete(lot.key);
  }

  #next(): void {
    if (this.#isRunning) return;
    const lot = [...this.#lots].find(({ isDue }) => isDue);
    if (lot === undefined) return;
    this.#lots.delete(lot);
    if (this.#open.get(lot.key) === lot) this.#open.delete(lot.key);
    this.#isRunning = true;
    // A rejection can't happen: #work gives every error to an item.
    void this.#work(lot.items).finally(() => {
      this.#isRunning = false;
      this.#next();
    });
  }

  // A run that fails is tried again in halves, until it is known whose item is to blame: the
  // others get their results, at the price of twice log2(items) runs for one bad item.
  async #work(all: readonly Waiting<Item, Result>[]): Promise<void> {
    const items = all.filter(({ isGone }) => !isGone);
    if (items.length === 0) return;
    this.#counts.runs += 1;
    try {
      const results = await this.#options.run(items.map(({ item }) => item));
      if (results.length !== items.length) {
        throw new Error(`a run of ${items.length} items answered ${results.length}`);
      }
      for (const [at, waiting] of items.entries()) this.#settle(waiting, results[at] as Result);
    } catch (error) {
      if (items.length === 1) {
        items[0]?.forget();
        items[0]?.reject(error);
        return;
      }
      const middle = items.length >> 1;
      await this.#work(items.slice(0, middle));
      await this.#work(items.slice(middle));
    }
  }

  #settle(waiting: Waiting<Item, Result>, result: Result): void {
    if (waiting.isGone) return;
    this.#counts.items += 1;
    this.#counts.rows += waiting.rows;
    waiting.forget();
    waiting.resolve(result);
  }
}
