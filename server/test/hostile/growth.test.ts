// Every attack against a server in a process of its own: it lives, still serves, logs no bug, and
// keeps no more memory after a further round than after the first. The soak of the same name does
// the same many times over.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { attacks, expectService } from './attacks.ts';
import { Victim } from './victim.ts';

/** What heap and buffers may differ by from one round to another. */
const noiseBytes = 4 * 2 ** 20;

let victim: Victim;
beforeAll(async () => {
  victim = await Victim.start();
  await expectService(victim);
});
afterAll(() => victim.stop());

it.each(attacks)('survives $name, and keeps nothing of it', async ({ round, counts }) => {
  await round(victim, counts.test, 0);
  const first = await victim.measure();
  await round(victim, counts.test, 1);
  await expectService(victim);
  const last = await victim.measure();
  expect(victim.lives).toBe(true);
  expect(victim.errors).toBe('');
  expect(last.usedBytes - first.usedBytes).toBeLessThan(noiseBytes);
});
