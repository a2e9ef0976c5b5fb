// All built-in functions of PMML 4.4 by their names.

import type { BuiltIn } from './built-in.ts';
import { logicFunctions } from './logic.ts';
import { numberFunctions } from './numbers.ts';
import { textFunctions } from './texts.ts';

export const builtIns: ReadonlyMap<string, BuiltIn> = new Map(
  Object.entries({ ...numberFunctions, ...logicFunctions, ...textFunctions }),
);
