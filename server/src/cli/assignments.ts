// `-D path=value`, several times: single fields given on the command line, in the words of eascmd.

import { InvalidArgumentError, Option } from 'commander';

/** By dotted path, as it was written. */
export type Assignments = ReadonlyMap<string, string>;

/** The option; its value is found under `D`. */
export function assignmentOption(description: string): Option {
  return new Option('-D <path=value>', `${description}; repeatable`).argParser(collectAssignment);
}

function collectAssignment(text: string, before: Assignments | undefined): Assignments {
  const equals = text.indexOf('=');
  const path = text.slice(0, Math.max(0, equals)).trim();
  if (path === '' || /^\.|\.\.|\.$/.test(path)) {
    throw new InvalidArgumentError('Not a field and its value, such as metadata.instance=3.');
  }
  return new Map([...(before ?? []), [path, text.slice(equals + 1)]]);
}
