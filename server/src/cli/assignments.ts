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
  if (path === '' || pathSteps(path).includes('')) {
    throw new InvalidArgumentError('Not a field and its value, such as metadata.instance=3.');
  }
  return new Map([...(before ?? []), [path, text.slice(equals + 1)]]);
}

/** The names of a dotted path; dots in brackets belong to a name: `strategies.metric[a.b]`. */
export function pathSteps(path: string): readonly string[] {
  return path.split(/\.(?![^[\]]*\])/);
}

/** `block` with the fields set, each with what was given where its value is text, else with the
 * number, truth value or JSON that the text is. Objects on the way are made. */
export function assigned(block: unknown, assignments: Assignments): unknown {
  let whole = block;
  for (const [path, text] of assignments) whole = placed(whole, pathSteps(path), parsed(text));
  return whole;
}

function placed(block: unknown, [step, ...rest]: readonly string[], value: unknown): unknown {
  if (step === undefined) return value;
  const isObject = typeof block === 'object' && block !== null && !Array.isArray(block);
  const fields = new Map<string, unknown>(isObject ? Object.entries(block) : []);
  fields.set(step, placed(fields.get(step), rest, value));
  return Object.fromEntries(fields);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
