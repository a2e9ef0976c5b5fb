// What the start of a server begins before its own code is loaded, which takes as long.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { warmChild } from './child.ts';
import { queueFolder } from './folder.ts';
import { tableFiles } from './names.ts';

/** For the data folder that an engine is about to be started on. Changes nothing in it. */
export function startAhead(folder: string): void {
  if (existsSync(join(queueFolder(folder), tableFiles.data))) warmChild();
}
