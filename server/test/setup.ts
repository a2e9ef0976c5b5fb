// Every test run draws the same examples, so that a change that is tested is what made a test
// fail. `SLUICE_TEST_SEED=N` draws others, `SLUICE_TEST_SEED=any` new ones each time.

import * as fc from 'fast-check';

const wanted = process.env.SLUICE_TEST_SEED ?? '20261121';
if (wanted !== 'any') fc.configureGlobal({ seed: Number(wanted) });
