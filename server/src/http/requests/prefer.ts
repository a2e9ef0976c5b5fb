// The `Prefer` header of RFC 7240: how long a caller would wait, and whether it would rather not.
// What is unknown or malformed is ignored, as the RFC demands.

/** What of `Prefer` is acted on. */
export interface Preferences {
  /** Seconds to hold the answer back for a result; 0 = none asked for. */
  readonly waitSeconds: number;
  readonly respondAsync: boolean;
}

/** Longest time that an answer is held back. */
export const waitSecondsMax = 300;

const nothing: Preferences = { waitSeconds: 0, respondAsync: false };

/** One preference: a name, perhaps a value, and parameters that no preference of ours has. */
const preference = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s;"]*)))?\s*(?:;.*)?$/;

/** Reads the header; of a preference that comes twice the first one counts. */
export function preferencesOf(header: string | readonly string[] | undefined): Preferences {
  if (header === undefined) return nothing;
  const seen = new Map<string, string>();
  const text = typeof header === 'string' ? header : header.join(',');
  for (const part of text.split(',')) {
    const match = preference.exec(part.trim());
    const name = match?.[1]?.toLowerCase();
    if (name !== undefined && !seen.has(name)) seen.set(name, match?.[2] ?? match?.[3] ?? '');
  }
  const wait = seen.get('wait') ?? '';
  return {
    waitSeconds: /^\d{1,9}$/.test(wait) ? Math.min(Number(wait), waitSecondsMax) : 0,
    respondAsync: seen.has('respond-async'),
  };
}

/** The header that says which preferences were followed; none when none were. */
export function preferenceApplied(
  { waitSeconds, respondAsync }: Preferences,
  answered: 'result' | 'accepted',
): readonly string[] {
  const applied: string[] = [];
  if (respondAsync && answered === 'accepted') applied.push('respond-async');
  if (waitSeconds > 0) applied.push(`wait=${waitSeconds}`);
  return applied.length === 0 ? [] : ['Preference-Applied', applied.join(', ')];
}
