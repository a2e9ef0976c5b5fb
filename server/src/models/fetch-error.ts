// Why a model can't be had, and whether trying again can help. What it says is shown to whoever
// looks at the instance: it names the address without its query, which may hold a signature.

import { PlatformError } from '@sluice/sdk/wire';
import type { Version } from './version.ts';

export interface FetchErrorOptions {
  /** Trying again cannot help. */
  readonly isFinal: boolean;
  /** The other side said when to come back. */
  readonly retryAfterMs?: number | undefined;
  /** It took a download to find out that this version is wrong. */
  readonly version?: Version | undefined;
  readonly cause?: unknown;
}

/** A model could not be fetched. */
export class ModelFetchError extends Error {
  override readonly name = 'ModelFetchError';
  readonly isFinal: boolean;
  readonly retryAfterMs: number | undefined;
  readonly version: Version | undefined;

  constructor(message: string, { isFinal, retryAfterMs, version, cause }: FetchErrorOptions) {
    super(message, cause === undefined ? {} : { cause });
    this.isFinal = isFinal;
    this.retryAfterMs = retryAfterMs;
    this.version = version;
  }
}

/** Trying again cannot help. */
export function finalError(message: string, cause?: unknown): ModelFetchError {
  return new ModelFetchError(message, { isFinal: true, cause });
}

/** The surroundings are to blame: it may work later. */
export function outsideError(message: string, cause?: unknown): ModelFetchError {
  return new ModelFetchError(message, { isFinal: false, cause });
}

/** Any error as one of ours; `subject` says what failed when the error itself does not. */
export function fetchErrorOf(error: unknown, subject: string): ModelFetchError {
  if (error instanceof ModelFetchError) return error;
  if (error instanceof PlatformError) {
    return error.code === 'unprocessable'
      ? finalError(error.message, error)
      : outsideError(error.message, error);
  }
  const why = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return outsideError(`${subject}: the disk is full`, error);
  }
  return outsideError(`${subject}: ${why}`, error);
}
