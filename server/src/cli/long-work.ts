// How commands that work for long say how far they are: backup, restore, verify.

import type { Output } from './output.ts';

interface LongWork {
  readonly doing: 'copying' | 'reading' | 'summing';
  readonly done: number;
  readonly total: number;
}

const words = { copying: 'Copying', reading: 'Reading', summing: 'Making checksums' } as const;

/** Shows one step on a terminal; elsewhere one line for each kind of work. */
export function showWork(output: Output, { doing, done, total }: LongWork): void {
  const how =
    doing === 'reading'
      ? `${done} of ${total} rows`
      : `${megabytes(done).slice(0, -3)} of ${megabytes(total)}`;
  output.progress(words[doing], ` ${how}`);
}

/** A size for people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

/** How many rows there are of each kind, for `pairs`. */
export function rowCounts(rows: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(rows).map(([kind, count]) => [`Rows: ${kind}`, count]);
}
