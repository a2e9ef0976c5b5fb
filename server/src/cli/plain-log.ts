// A log for people: what went wrong in words, with the stack of an error below it. For model
// servers, whose output is read by whoever wrote the model.

import type { Log, LogFields } from '../kernel/log.ts';
import type { Output } from './output.ts';

/** Errors and warnings only; everything else is silent. */
export function plainLog(output: Output): Log {
  const say = (fields: LogFields, message: string): void => {
    const { error, ...others } = fields;
    const facts = Object.entries(others).map(([name, value]) => `${name}=${String(value)}`);
    output.note([message, ...facts].join(' '));
    if (error instanceof Error) output.note(error.stack ?? error.message);
    else if (error !== undefined) output.note(String(error));
  };
  const log: Log = {
    error: say,
    warn: say,
    info: () => undefined,
    debug: () => undefined,
    child: () => log,
  };
  return log;
}
