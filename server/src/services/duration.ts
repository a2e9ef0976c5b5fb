// Durations as people write them: `1h30m`, `90s`, `500ms`, `7d`, or 0.

/** Whole numbers with units, the largest first, each unit at most once. */
export const durationPattern: RegExp =
  /^(?:0|(?=\d)(?:\d{1,9}d)?(?:\d{1,9}h)?(?:\d{1,9}m(?!s))?(?:\d{1,9}s)?(?:\d{1,9}ms)?)$/;

/** Longer ones are taken for a mistake: ten years of 365 days. */
export const durationMsMax: number = 3650 * 24 * 3_600_000;

/** Milliseconds; undefined when `text` is not a duration. `1h30m` is 5,400,000. */
export function durationMs(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|[dhms])/g)) {
    total += Number(digits) * unitMs(unit);
  }
  return total;
}

/** The shortest spelling: 5,400,000 is `1h30m`. */
export function durationText(ms: number): string {
  let rest = ms;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const count = Math.floor(rest / unitMs(unit));
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs(unit);
  }
  return text === '' ? '0' : text;
}

function unitMs(unit: string | undefined): number {
  if (unit === 'd') return 86_400_000;
  if (unit === 'h') return 3_600_000;
  if (unit === 'm') return 60_000;
  return unit === 's' ? 1000 : 1;
}
