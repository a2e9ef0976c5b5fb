// All mistakes of one call, gathered so that its author sees them at once, each with the name of
// the header, parameter or field that it is in.

import { PlatformError } from '@sluice/sdk/wire';
import type { z } from 'zod';

/** Says what is wrong with one value. */
export type Say = (text: string) => void;

/** Listed in a problem document under `mistakes`, and in `detail` in words. */
export class CallMistakes extends PlatformError {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super('bad_request', mistakes.join('; '));
    this.mistakes = mistakes;
  }
}

export class Mistakes {
  readonly #lines: string[] = [];

  /** What says that the value called `name` is wrong. */
  of(name: string): Say {
    return (text) => void this.#lines.push(`${name}: ${text}`);
  }

  /** Throws when there were any. */
  check(): void {
    if (this.#lines.length > 0) throw new CallMistakes(this.#lines);
  }
}

/** Checks a value against its schema; throws every mistake. `what` names the whole. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  what: string,
  value: unknown,
): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CallMistakes(
    parsed.error.issues.map((issue) => `${issue.path.join('.') || what}: ${issue.message}`),
  );
}
