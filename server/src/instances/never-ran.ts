// A copy that could not be started: it has ended before it began, and says why.

import type { Ending, Running } from './driver.ts';
import { instanceHost } from './port.ts';

/** `how` says what the problem means for trying again. */
export function neverRan(
  problem: string,
  how: Pick<Ending, 'isFinal' | 'isOutside'> = {},
): Running {
  return {
    url: new URL(`http://${instanceHost}`),
    pid: undefined,
    port: undefined,
    hasBegun: false,
    ended: Promise.resolve({ code: undefined, signal: undefined, problem, ...how }),
    stop: async () => undefined,
    kill: () => undefined,
    exec: undefined,
  };
}
