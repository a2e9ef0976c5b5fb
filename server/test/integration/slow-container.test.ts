// The short form of `npm run soak -- slow-container`.

import { expect, it } from 'vitest';
import { engineProblem } from '../docker/engine.ts';
import { playSlowContainer } from './slow-container.ts';

it.skipIf(engineProblem !== undefined)(
  'updates and scales in under load without giving a request to two instances',
  async () => {
    const { results, counters, heldAtUpdate, heldAtScaleIn } = await playSlowContainer(3000);
    expect(new Set(results.map((text) => text.slice(3))).size).toBe(10);
    expect(results.length).toBe(10);
    // What version 1 had when version 2 came; on a slow machine it takes more before that is ready.
    expect(results.filter((text) => text.startsWith('v1')).length).toBeGreaterThanOrEqual(4);
    expect(results.some((text) => text.startsWith('v2'))).toBe(true);
    expect(counters).toMatchObject({ put: 10, delivered: 10, returned: 0, completed: 10, dead: 0 });
    expect(heldAtUpdate).toBeGreaterThan(0);
    expect(heldAtScaleIn).toBeGreaterThan(0);
  },
  120_000,
);
