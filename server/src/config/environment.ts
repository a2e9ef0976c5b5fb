// The only file that reads the environment; others are given what they need of it.

import type { Environment } from './places.ts';

/** The environment of this process. Others take what they need of it as an argument. */
export function processEnvironment(): Environment {
  return process.env;
}
