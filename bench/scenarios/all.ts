// The scenarios of Sluice alone, by name, in the order in which they run.

import type { Figure } from '../figures.ts';
import type { World } from '../world.ts';
import { cycles } from './cycles.ts';
import { httpPut } from './http-put.ts';
import { httpSubmit } from './http-submit.ts';
import { million } from './million.ts';
import { streamPut } from './stream-put.ts';

export const scenarios: Readonly<Record<string, (world: World) => Promise<Figure[]>>> = {
  'http-put': httpPut,
  'http-submit': httpSubmit,
  'stream-put': streamPut,
  cycles,
  million,
};
