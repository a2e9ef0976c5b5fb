// What the client takes from the platform it runs on.

import { expect, test } from 'vitest';
import { defaultRandom } from '../src/platform.ts';

test('makes random ids of version 4, none twice', () => {
  const ids = Array.from({ length: 2000 }, () => defaultRandom.id());
  expect(new Set(ids).size).toBe(ids.length);
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  for (const id of ids) expect(id).toMatch(form);
  // Each place takes each digit it may have.
  for (let at = 0; at < 36; at++) {
    const digits = new Set(ids.map((id) => id[at])).size;
    const fixed = [8, 13, 14, 18, 23].includes(at);
    expect(digits).toBe(fixed ? 1 : at === 19 ? 4 : 16);
  }
});
