// Cursors of lists: where the next page begins, in a text that means nothing to its reader. They
// stay good as the list grows at its other end.

import { PlatformError } from '@sluice/sdk/wire';

/** `kind` keeps the cursors of one list from being used for another. */
export function cursorOf(kind: string, below: number): string | null {
  return below === 0 ? null : Buffer.from(`${kind}:${below}`).toString('base64url');
}

/** Reads what `cursorOf` made; 0 without one. */
export function belowOf(kind: string, cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const text = Buffer.from(cursor.slice(0, 64), 'base64url').toString('latin1');
  const below = new RegExp(`^${kind}:([1-9]\\d{0,15})$`).exec(text)?.[1];
  // Only what was made here comes out the same.
  if (below !== undefined && cursorOf(kind, Number(below)) === cursor) return Number(below);
  throw new PlatformError('bad_request', 'cursor: is none of this list; take it from `next`');
}
