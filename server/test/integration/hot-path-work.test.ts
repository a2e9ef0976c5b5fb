// Guards the paths that every message takes against becoming slower. Time would say so only on a
// machine of its own; the amount of work says it anywhere, and the same every time.

import { describe, expect, it } from 'vitest';
import { type Counts, countWork, readBaseline, regressions } from '../counted/count-work.ts';

describe('the work of a message', () => {
  it('is not more than it was (npm run bench -- --counts; with --write it may be from now on)', {
    timeout: 60_000,
  }, async () => {
    expect(regressions(readBaseline(), await countWork())).toEqual([]);
  });

  const before: Counts = {
    put: {
      source: { 'server/src/queue': 6000, 'server/src/http': 4000 },
      nativeCalls: 10,
      nativeBytes: 5000,
      heapBytes: 20_000,
    },
  };
  const changed = (changes: Partial<Counts[string]>): Counts => ({
    put: { ...(before.put as Counts[string]), ...changes },
  });

  it('may grow a little', () => {
    const source = { 'server/src/queue': 6500, 'server/src/http': 4400 };
    const found = changed({ source, nativeCalls: 12, nativeBytes: 5400, heapBytes: 22_000 });
    expect(regressions(before, found)).toEqual([]);
  });

  it('names what has grown, and where', () => {
    const source = { 'server/src/queue': 9000, 'server/src/http': 4000 };
    const found = changed({ source, nativeCalls: 20, nativeBytes: 50_000, heapBytes: 40_000 });
    expect(regressions(before, found)).toEqual([
      'put: source 10000 -> 13000 (server/src/queue +3000)',
      'put: nativeCalls 10 -> 20',
      'put: nativeBytes 5000 -> 50000',
      'put: heapBytes 20000 -> 40000',
    ]);
  });

  it('must be counted for every path', () => {
    expect(regressions(before, {})).toEqual(['put: not counted']);
  });
});
