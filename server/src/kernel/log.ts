// JSON lines with a fixed message and fields. The only file, beside the command line's own output,
// that writes to the terminal.

import { pino } from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  /** Someone must act. */
  error(fields: LogFields, message: string): void;
  /** Will need action. */
  warn(fields: LogFields, message: string): void;
  /** Life cycle: one line per change of state, never per step. */
  info(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  /** A log whose lines all carry `fields`. */
  child(fields: LogFields): Log;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** Writes to standard error, so that standard output stays free for a command's own result. */
export function terminalLog(level: LogLevel): Log {
  // An Error has no enumerable fields: without a serializer it would be logged as {}.
  const { err } = pino.stdSerializers;
  const serializers = { err, error: err };
  return pino({ level, base: null, serializers }, pino.destination({ dest: 2, sync: true }));
}

export const silentLog: Log = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silentLog,
};
