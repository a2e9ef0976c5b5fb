// Notes of running work as tests write them and compare them.

import type { WorkNote } from '@sluice/sdk/wire';
import fc from 'fast-check';

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const output = (text: string): WorkNote => ({ kind: 'output', data: bytes(text) });
export const log = (text: string): WorkNote => ({ kind: 'log', text });
export const stage = (text: string): WorkNote => ({ kind: 'stage', text });
export const percent = (value: number): WorkNote => ({ kind: 'percent', value });

export const notes: fc.Arbitrary<WorkNote> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map(output),
  },
  {
    weight: 2,
    arbitrary: fc
      .uint8Array({ minLength: 1, maxLength: 300 })
      .map((data): WorkNote => ({ kind: 'output', data })),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 100 }).map(percent) },
  { weight: 1, arbitrary: fc.string({ maxLength: 20 }).map(stage) },
  { weight: 1, arbitrary: fc.string({ maxLength: 20 }).map(log) },
);

/** What stands at each place: a byte of output, or a step. */
export function placesOf(rows: readonly WorkNote[]): (number | undefined)[] {
  return rows.flatMap((note) => (note.kind === 'output' ? [...note.data] : [undefined]));
}

export function dataOf(event: { readonly data: { text: string } | { base64: string } }): Buffer {
  const { data } = event;
  return 'text' in data ? Buffer.from(data.text) : Buffer.from(data.base64, 'base64');
}

export const isByte = (value: number | undefined): value is number => value !== undefined;
