// A container that needs 20 s for a request is updated and scaled in under load. Ends with code 1
// when one of its requests was given to two instances, or has no result.
//
//   npm run soak -- slow-container --seconds 20

import { parseArgs } from 'node:util';
import { playSlowContainer } from '../integration/slow-container.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string' } }, strict: false });
const seconds = Number(values.seconds ?? 20);
const say = (text: string): void => console.log(text);
const { results, counters, heldAtUpdate, heldAtScaleIn } = await playSlowContainer(
  1000 * seconds,
  say,
);
say(results.join('\n'));
const { put, delivered, returned, completed } = counters;
say(`slow-container: ${put} put, ${delivered} delivered, ${returned} returned, ${completed} done`);
const isGood =
  results.length === put &&
  new Set(results).size === put &&
  delivered === put &&
  returned === 0 &&
  heldAtUpdate > 0 &&
  heldAtScaleIn > 0;
process.exitCode = isGood ? 0 : 1;
