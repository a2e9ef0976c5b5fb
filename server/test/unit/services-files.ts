// Files for the tests of services, and what the loader makes of them.

import type { InstanceSettings } from '../../src/deployment/instances.ts';
import { checkService, type ParsedService, type ParseOptions } from '../../src/services/parse.ts';

export const loose: ParseOptions = { strict: false, openAllowed: false };
export const open: ParseOptions = { strict: false, openAllowed: true };

export interface File {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** A service with one instance of something, unless the file says of what. */
export function base(
  file: File,
  instance: number | undefined = 1,
): Readonly<Record<string, unknown>> {
  const declares = ['endpoint', 'containers', 'processor'].some((way) => way in file);
  return {
    ...(declares ? {} : { containers: [{ command: 'serve' }] }),
    ...file,
    metadata: { name: 'a', type: 'Async', instance, ...file.metadata },
  };
}

export function parsed(input: unknown, options: ParseOptions = loose): ParsedService {
  const outcome = checkService(input, options);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problems));
  return outcome.service;
}

export function instances(file: File, instance?: number): InstanceSettings {
  return parsed(base(file, instance)).spec.instances;
}

export function mistakes(input: unknown): readonly string[] {
  const outcome = checkService(input, loose);
  if (outcome.ok) return [];
  return outcome.problems.map(({ path, message }) => (path ? `${path}: ${message}` : message));
}
