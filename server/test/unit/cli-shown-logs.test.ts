// What a follower of logs has shown already: after a cut each line is shown once, and none is left
// out that is still there.

import { describe, expect, test } from 'vitest';
import { caughtUpLines, ShownLogs } from '../../src/cli/shown-logs.ts';

interface Line {
  readonly instance: string;
  readonly line: string;
}

const of = (instance: string, ...lines: readonly string[]): Line[] =>
  lines.map((line) => ({ instance, line }));

/** Shows what was followed; the lines that were no news. */
function follow(shown: ShownLogs, lines: readonly Line[]): readonly string[] {
  return lines.filter((line) => !shown.isNew(line)).map(({ line }) => line);
}

const textsOf = (lines: readonly Line[]): string[] => lines.map(({ line }) => line);

describe('after a cut', () => {
  test('what each log has more than before is shown, and not once more when it is followed', () => {
    const shown = new ShownLogs();
    expect(follow(shown, [...of('a', '1', '2'), ...of('b', 'x')])).toEqual([]);
    const ends = [...of('a', '1', '2', '3'), ...of('b', 'x'), ...of('c', 'new')];
    expect(shown.caughtUp(ends)).toEqual([...of('a', '3'), ...of('c', 'new')]);
    const followed = [...ends, ...of('a', '4'), ...of('d', 'first')];
    expect(follow(shown, followed)).toEqual(textsOf(ends));
    expect(shown.caughtUp(of('a', '3', '4', '5'))).toEqual(of('a', '5'));
  });

  test('lines that are alike are not taken for news', () => {
    const shown = new ShownLogs();
    follow(shown, of('a', ...Array(100).fill('ok')));
    expect(shown.caughtUp(of('a', ...Array(100).fill('ok')))).toEqual([]);
    expect(textsOf(shown.caughtUp(of('a', ...Array(100).fill('ok'), 'news', 'ok')))).toEqual([
      'news',
      'ok',
    ]);
  });

  test('a line that was cut in its middle comes again, whole', () => {
    const shown = new ShownLogs();
    follow(shown, of('a', 'one', 'tw'));
    expect(textsOf(shown.caughtUp(of('a', 'one', 'two', 'three')))).toEqual(['two', 'three']);
  });

  test('all that is there is shown when nothing of it was', () => {
    const shown = new ShownLogs();
    follow(shown, of('a', 'long ago'));
    const lines = Array.from({ length: caughtUpLines }, (_, at) => `line ${at}`);
    expect(textsOf(shown.caughtUp(of('a', ...lines)))).toEqual(lines);
  });
});
