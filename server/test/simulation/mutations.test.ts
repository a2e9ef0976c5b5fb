// Shows that the simulator finds mistakes: each planted one breaks a rule within the first seeds.
// Here a third of them are planted; `npm run soak -- mutations` plants all.

import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { mutations } from './mutations.ts';
import { noticed, seedsMax, simulate } from './planted.ts';

const some = mutations.filter((_, at) => at % 3 === 0);

describe('the simulator', () => {
  it.each(some)(
    `notices within ${seedsMax} seeds a broker that $name`,
    async (mutation) => {
      const { code, output } = await simulate(mutation, mutation.from ?? 1);
      expect(output).toMatch(noticed);
      expect(code).toBe(1);
    },
    120_000,
  );

  // One whose text is no longer there would plant nothing.
  it.each(mutations)('can plant: $name', async ({ file, find }) => {
    const text = await readFile(new URL(`../../../${file}`, import.meta.url), 'utf8');
    expect(text.split(find)).toHaveLength(2);
  });
});
