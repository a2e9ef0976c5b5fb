// Runs of the whole broker on a virtual clock under faults. More of them, and a failing one with
// everything that happened: `npm run sim -- --seeds N`, `npm run sim -- --seed S --trace`.

import { describe, expect, it } from 'vitest';
import { type RunResult, run } from './run.ts';

const steps = 1_500;

async function play(seed: number, long = steps): Promise<RunResult> {
  return run({ seed, steps: long, print: false });
}

function replay({ seed, violation, trace }: RunResult, long: number): string {
  const command = `npm run sim -- --seed ${seed} --steps ${long}`;
  return `${violation}\nreplay: ${command}\n${trace.tail(20).join('\n')}`;
}

async function expectClean(seed: number, long = steps): Promise<void> {
  const result = await play(seed, long);
  if (result.violation !== undefined) expect.fail(replay(result, long));
}

describe('a simulated service under faults', () => {
  for (let first = 1; first <= 100; first += 20) {
    it(`keeps every rule, seeds ${first} to ${first + 19}`, async () => {
      for (let seed = first; seed < first + 20; seed += 1) await expectClean(seed);
    });
  }

  it('does the same again when it is run with the same seed', async () => {
    const [first, second] = [await play(7), await play(7)];
    expect(second.hash).toBe(first.hash);
    expect((await play(8)).hash).not.toBe(first.hash);
  });

  it('sees a fair share of everything', async () => {
    const { trace, puts } = await play(11, 6_000);
    expect(puts).toBeGreaterThan(100);
    for (const word of ['ok', 'dies', 'complete', 'deliver', 'took', 'return']) {
      expect(trace.count(word), word).toBeGreaterThan(0);
    }
  });
});

/** Seeds that found something once, and what. */
const finds: readonly (readonly [number, string])[] = [
  [1110, 'a message that waited behind an emptied piece of memory was not found any more'],
  [1_743_611_367, 'a get was never answered when the write of its turn failed'],
  [1_965_275_513, 'a late second result got a place of its own after ten minutes of waiting'],
  [2_146_034_860, 'a slot was free though another member had committed the message under work'],
  [2_146_034_864, 'the notice of a dead request named no cause'],
];

describe('what was found once stays mended', () => {
  for (const [seed, what] of finds) it(`${what} (seed ${seed})`, () => expectClean(seed, 3_000));
});
