// Tables as commands print them.

import { describe, expect, test } from 'vitest';
import { pairs, printable, sheet, table } from '../../src/cli/tables.ts';

interface Row {
  readonly name: string;
  readonly count: number;
}

const columns = [
  { head: 'NAME', read: ({ name }: Row) => name },
  { head: 'COUNT', read: ({ count }: Row) => count },
];

describe('a table', () => {
  test('has frames, heads in the middle, numbers to the right, and can be cut at its bars', () => {
    const rows = [
      { name: 'a', count: 5 },
      { name: 'long-name', count: 1234567 },
    ];
    expect(table(columns, rows)).toEqual([
      '+-----------+---------+',
      '|   NAME    |  COUNT  |',
      '+-----------+---------+',
      '| a         |       5 |',
      '| long-name | 1234567 |',
      '+-----------+---------+',
    ]);
    const cells = table(columns, rows).map((line) => line.split('|')[2]?.trim());
    expect(cells).toEqual([undefined, 'COUNT', undefined, '5', '1234567', undefined]);
  });

  test('of nothing is its heads', () => {
    expect(table(columns, [])).toEqual([
      '+------+-------+',
      '| NAME | COUNT |',
      '+------+-------+',
    ]);
  });

  test('stays a table whatever text is in it', () => {
    const lines = table(columns, [{ name: '\u001b[31mred\nend', count: 1 }]);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    expect(lines.join('\n')).not.toContain('\u001b');
  });
});

test('a sheet has names to the right and a row for each line of a value', () => {
  expect(
    sheet([
      ['Status', 'Running'],
      ['Config', '{\n  "a": 1\n}'],
    ]),
  ).toEqual([
    '+--------+----------+',
    '| Status | Running  |',
    '| Config | {        |',
    '|        |   "a": 1 |',
    '|        | }        |',
    '+--------+----------+',
  ]);
});

test('names and values stand below each other, without the empty ones', () => {
  expect(
    pairs([
      ['A', 1],
      ['Long', 'x'],
      ['None', ''],
    ]),
  ).toEqual(['A     1', 'Long  x']);
});

test('shows no control characters of others', () => {
  expect(printable('a\u001b[31mred\nb')).toBe('a [31mred b');
});
