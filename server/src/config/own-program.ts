// How this very program is run again, for the model servers that ship with it: built, or from its
// sources while it is being worked on.

import { fileURLToPath } from 'node:url';

/** The words that stand before the arguments. */
export function ownProgram(): readonly string[] {
  const isBuilt = import.meta.url.endsWith('.js');
  const main = fileURLToPath(new URL(isBuilt ? '../main.js' : '../main.ts', import.meta.url));
  if (isBuilt) return [process.execPath, main];
  return [process.execPath, '--conditions=source', '--import', 'tsx', main];
}
