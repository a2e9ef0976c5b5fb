// The log of one attempt: whoever reads from wherever at whatever speed has exactly the output, or
// is told that something is missing.

import type { WorkNote } from '@sluice/sdk/wire';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Attempt } from '../../src/requests/events/attempt.ts';
import {
  bytes,
  dataOf,
  isByte,
  log,
  notes,
  output,
  percent,
  placesOf,
  stage,
} from './request-notes.ts';

it('gives any reader that goes on anywhere exactly what follows, or a gap', () => {
  fc.assert(
    fc.property(
      fc.array(notes, { maxLength: 60 }),
      fc.integer({ min: 500, max: 20_000 }),
      fc.array(fc.nat(40), { maxLength: 40 }),
      fc.nat(),
      (rows, bytesMax, speeds, startSeed) => {
        const places = placesOf(rows);
        const attempt = new Attempt(1, bytesMax);
        let place = startSeed % (places.length + 1);
        const begin = place;
        let read: number[] = [];
        let missing = 0;
        let fields: Record<string, unknown> = {};
        let lines: string[] = [];
        const pull = (isFinal: boolean): boolean => {
          const told = attempt.read(place, isFinal);
          if (told === undefined) return false;
          expect(told.next).toBeGreaterThan(place);
          if (told.event === 'output') read.push(...dataOf(told));
          else if (told.event === 'gap') {
            missing += told.data.bytes;
            // What came before the gap is the true beginning.
            expect(read).toEqual(places.slice(begin).filter(isByte).slice(0, read.length));
            read = [];
            lines = [];
            const lost = places.slice(place, told.next).filter(isByte).length;
            expect(told.data.bytes).toBeGreaterThanOrEqual(lost);
          } else {
            fields = { ...fields, ...told.data };
            if (told.data.log !== undefined) lines.push(told.data.log);
          }
          place = told.next;
          return true;
        };
        let at = 0;
        for (const [turn, note] of rows.entries()) {
          attempt.add([note], at);
          // Said twice, as after a lost connection.
          if (turn % 3 === 0) attempt.add([note], at);
          at += note.kind === 'output' ? note.data.length : 1;
          for (let times = speeds[turn] ?? 0; times > 0 && place < at; times--) pull(false);
        }
        while (pull(true));
        const expected = places.slice(begin).filter(isByte);
        if (missing === 0) expect(read).toEqual(expected);
        else expect(read).toEqual(expected.slice(expected.length - read.length));
        const after = rowsFrom(rows, begin);
        for (const name of ['percent', 'stage'] as const) {
          const last = after.findLast((note) => note.kind === name);
          if (last?.kind === 'percent') expect(fields).toMatchObject({ percent: last.value });
          if (last?.kind === 'stage') expect(fields).toMatchObject({ stage: last.text });
        }
        if (missing === 0) {
          const said = after.flatMap((note) => (note.kind === 'log' ? [note.text] : []));
          expect(lines.join('\n')).toBe(said.join('\n'));
        }
      },
    ),
    { numRuns: 500 },
  );
});

function rowsFrom(rows: readonly WorkNote[], begin: number): WorkNote[] {
  let at = 0;
  return rows.filter((note) => {
    const here = at;
    at += note.kind === 'output' ? note.data.length : 1;
    return here >= begin;
  });
}

it('keeps what it is bound to, and the latest progress beyond', () => {
  const attempt = new Attempt(1, 2000);
  attempt.add([percent(10)], 0);
  for (let at = 1; at < 10_001; at += 100) attempt.add([output('x'.repeat(100))], at);
  expect(attempt.bytes).toBeLessThanOrEqual(2000 + 4096);
  const seen = drain(attempt, 0);
  expect(seen.map(({ event }) => event)).toEqual(['progress', 'gap', 'output']);
  const [, gap, last] = seen;
  if (gap?.event !== 'gap' || last?.event !== 'output') throw new Error('unexpected');
  expect(gap.data.bytes + dataOf(last).length).toBe(10_000);
});

it('does not cut characters, and tells other bytes as they are', () => {
  const attempt = new Attempt(1, 100_000);
  const word = bytes('größe 😀');
  attempt.add([{ kind: 'output', data: word.subarray(0, 3) }], 0);
  expect(attempt.read(0, false)).toEqual({ event: 'output', data: { text: 'gr' }, next: 2 });
  expect(attempt.read(2, false)).toBeUndefined();
  attempt.add([{ kind: 'output', data: word.subarray(3) }], 3);
  expect(attempt.read(2, false)).toEqual({
    event: 'output',
    data: { text: 'öße 😀' },
    next: word.length,
  });
  attempt.add([{ kind: 'output', data: Uint8Array.of(0xff, 0xfe) }], word.length);
  const told = attempt.read(word.length, true);
  expect(told).toMatchObject({ event: 'output', data: { base64: '//4=' } });
});

it('merges neighbouring pieces, and steps up to the next output', () => {
  const attempt = new Attempt(1, 100_000);
  attempt.add([output('a'), output('b'), log('one'), stage('s1'), log('two'), stage('s2')], 0);
  attempt.add([output('c')], 6);
  expect(drain(attempt, 0)).toEqual([
    { event: 'output', data: { text: 'ab' }, next: 2 },
    { event: 'progress', data: { log: 'one\ntwo', stage: 's2' }, next: 6 },
    { event: 'output', data: { text: 'c' }, next: 7 },
  ]);
});

it('shows a hole where rows are missing', () => {
  const attempt = new Attempt(1, 100_000);
  attempt.add([output('abc')], 0);
  attempt.add([output('xyz')], 10);
  expect(drain(attempt, 1)).toEqual([
    { event: 'output', data: { text: 'bc' }, next: 3 },
    { event: 'gap', data: { bytes: 7 }, next: 10 },
    { event: 'output', data: { text: 'xyz' }, next: 13 },
  ]);
});

function drain(attempt: Attempt, from: number) {
  const all = [];
  for (let place = from; ; ) {
    const told = attempt.read(place, true);
    if (told === undefined) return all;
    all.push(told);
    place = told.next;
  }
}
