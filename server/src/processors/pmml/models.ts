// The kinds of models by the names of their elements. A new kind is put in here and nowhere else.

import { compileMining } from './mining.ts';
import type { Compile } from './model.ts';
import { compileRegression } from './regression.ts';
import { compileTree } from './tree.ts';

/** What compiles each element that is a model. */
export const models: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['MiningModel', compileMining],
  ['RegressionModel', compileRegression],
  ['TreeModel', compileTree],
]);
