// Models that lie on this machine already: nothing is fetched, so that nothing has to be kept.

import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ModelStore } from '../instances/model-store.ts';

class FinalError extends Error {
  readonly isFinal = true;
}

export const localModels: ModelStore = {
  hold: async ({ address, checksum }) => {
    const path = address.startsWith('file:') ? fileURLToPath(address) : address;
    if (!isAbsolute(path)) {
      const what = 'this Sluice reads models from absolute paths of its own machine';
      throw new FinalError(`model_path ${address}: ${what}`);
    }
    if (checksum !== undefined) throw new FinalError('checksums of local models are not checked');
    if (!existsSync(path)) throw new FinalError(`model_path ${path} does not exist`);
    return { path, release: () => undefined };
  },
};
