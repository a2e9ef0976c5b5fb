// The models of processors, among the other parts: where they are kept, with whose credentials they
// are fetched, and what the operator allows of them.

import type { Environment } from '../config/places.ts';
import type { ModelStoreLimits } from '../http/limit-table.ts';
import { allowList } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { ossSettingsOf, s3SettingsOf } from '../kernel/object-store.ts';
import type { Random } from '../kernel/random.ts';
import { ModelCache, modelsFolder } from '../models/store.ts';

export interface ModelOptions {
  readonly dataFolder: string;
  readonly limits: ModelStoreLimits;
  /** Networks and hosts that every service may fetch its model from. */
  readonly allow: readonly string[];
  /** Of this process: credentials for object stores. */
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Not started yet. */
export function createModelCache(options: ModelOptions): ModelCache {
  const { dataFolder, limits, allow, environment, clock, random, log } = options;
  return new ModelCache({
    folder: modelsFolder(dataFolder),
    ...limits,
    s3: s3SettingsOf(environment),
    oss: ossSettingsOf(environment),
    allow: allowList(allow, 'model.allow'),
    clock,
    random,
    log,
  });
}
