// The demo's own account of what it handed over and what came back, kept outside of Sluice: it is
// what "lost" and "duplicated" are counted from.

import { accuracy } from '../../examples/ocr/accuracy.js';
import type { Work } from './journal.ts';
import type { Page } from './pages.ts';
import type { Accepted, Result } from './queue.ts';

/** Share of right characters from which a page counts as read. */
export const accuracyMin = 0.95;

export interface Entry {
  readonly page: Page;
  readonly accepted: Accepted;
  /** Results with different indexes; more than one is a duplicate. */
  readonly results: readonly Result[];
}

export interface Reading {
  readonly page: Page;
  readonly text: string;
  /** 0 to 1. */
  readonly accuracy: number;
  readonly succeeded: boolean;
  readonly failure: string | undefined;
  readonly deliveries: number;
  /** From acceptance to the beginning of the work that led to the result. */
  readonly waitedMs: number | undefined;
  readonly workedMs: number | undefined;
}

/** Keeps entries by request id. */
export class Ledger {
  readonly #entries = new Map<string, Entry>();
  #strangers = 0;

  accept(page: Page, accepted: Accepted): void {
    this.#entries.set(accepted.requestId, { page, accepted, results: [] });
  }

  take(result: Result): void {
    const entry = this.#entries.get(result.requestId);
    if (entry === undefined) {
      this.#strangers += 1;
      return;
    }
    if (entry.results.some(({ index }) => index === result.index)) return;
    this.#entries.set(result.requestId, { ...entry, results: [...entry.results, result] });
  }

  pageOf(requestId: string): Page | undefined {
    return this.#entries.get(requestId)?.page;
  }

  get entries(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** Accepted, and no result came. */
  get lost(): number {
    return this.entries.filter(({ results }) => results.length === 0).length;
  }

  /** Results beyond the first of a request, and results that nobody asked for. */
  get duplicated(): number {
    const more = this.entries.map(({ results }) => Math.max(0, results.length - 1));
    return more.reduce((sum, count) => sum + count, this.#strangers);
  }

  get answered(): number {
    return this.#entries.size - this.lost;
  }
}

/** What became of one page, with the times that its instance noted. */
export function readingOf(entry: Entry, journal: readonly Work[]): Reading {
  const { page, accepted, results } = entry;
  const own = journal.filter(({ request }) => request === accepted.requestId);
  const last = own.findLast(({ finishedAt }) => finishedAt !== undefined);
  const result = results[0];
  const text = result?.text ?? '';
  const right = accuracy(page.text, text);
  return {
    page,
    text,
    accuracy: right,
    succeeded: result !== undefined && result.failure === undefined && right >= accuracyMin,
    failure: result === undefined ? 'no result' : result.failure,
    deliveries: own.length,
    waitedMs: last === undefined ? undefined : Math.max(0, last.startedAt - accepted.at),
    workedMs: last?.finishedAt === undefined ? undefined : last.finishedAt - last.startedAt,
  };
}
