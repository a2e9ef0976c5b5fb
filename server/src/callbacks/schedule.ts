// When a callback is tried again: the schedule that Standard Webhooks recommends, with jitter, so
// that what failed together does not come back together. All times are wall clock: a schedule of
// days survives restarts.

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** How long before each attempt, after the one before; the first is made at once. */
export const attemptDelaysMs: readonly number[] = [
  0,
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];

/** So much of a delay is added or taken off at most. */
const jitter = 0.1;
/** A receiver can't put us off for longer by `Retry-After`. */
const retryAfterMsMax = 24 * hour;

/** From the end of a request to the last attempt, when none takes long: a record has to stay until
 * then. With all delays at their longest 83.1 h. */
export const scheduleMsMax: number =
  attemptDelaysMs.reduce((sum, delay) => sum + delay, 0) * (1 + jitter);

/**
 * How long until the next attempt after `attempts` that failed; undefined: that was the last one.
 * What the receiver asked for (`retryAfterMs`) counts where it is longer. After the second failed
 * attempt and a `chance` of 0.5: 300,000.
 */
export function nextDelayMs(
  attempts: number,
  chance: number,
  retryAfterMs: number | undefined,
): number | undefined {
  const delay = attemptDelaysMs[attempts];
  if (delay === undefined) return undefined;
  const jittered = delay * (1 - jitter + 2 * jitter * chance);
  return Math.max(jittered, Math.min(retryAfterMs ?? 0, retryAfterMsMax));
}

/** Reads `Retry-After`: seconds, or a date; undefined when it is neither, or over. */
export function readRetryAfter(text: string | undefined, wall: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text.trim()) ? Number(text) * second : Date.parse(text) - wall;
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
