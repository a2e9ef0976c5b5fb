// The building blocks of the schema: numbers, texts, durations, fields without effect, and what is
// said about each.

import { z } from 'zod';
import { durationMs, durationMsMax, durationPattern, durationText } from './duration.ts';

/** What only the manual shows beside the schema's own words. */
export interface Extras {
  readonly unit?: string;
  /** The default in words where it depends on something. */
  readonly fallback?: string;
  /** Another name of the field. */
  readonly also?: string;
}

/** What the schema says of a field beside its type. */
export function about(text: string, extras: Extras = {}): Record<string, string> {
  return {
    description: text,
    ...(extras.unit === undefined ? {} : { 'x-unit': extras.unit }),
    ...(extras.fallback === undefined ? {} : { 'x-default': extras.fallback }),
    ...(extras.also === undefined ? {} : { 'x-also': extras.also }),
  };
}

/** Known, accepted, listed, and without effect. */
export function ignored(text: string): z.ZodOptional<z.ZodUnknown> {
  return z.unknown().optional().meta({ description: text, 'x-ignored': true });
}

export interface DurationRule {
  readonly fallback: string | number;
  /** What a bare number means; undefined: only 0 may stand without a unit. */
  readonly numbers?: 'ms' | 's';
  readonly leastMs?: number;
  readonly text: string;
}

/** A duration field: text, or a bare number where the rule allows one; milliseconds after. */
export type DurationField = z.ZodPipe<
  z.ZodDefault<z.ZodUnion<readonly [z.ZodType<number, number>, z.ZodString]>>,
  z.ZodTransform<number, number | string>
>;

/** A field for a duration, with its default, range and sentence. */
export function duration(rule: DurationRule): DurationField {
  const bare: z.ZodType<number, number> =
    rule.numbers === undefined ? z.literal(0) : z.number().nonnegative();
  const meaning = rule.numbers === undefined ? '' : `, or a number of ${unitName(rule.numbers)}`;
  const expected = `must be a duration such as "90s" or "1h30m" (d, h, m, s, ms)${meaning}`;
  const leastMs = rule.leastMs ?? 0;
  return z
    .union([bare, z.string().regex(durationPattern, { error: expected })], { error: expected })
    .default(rule.fallback)
    .transform((value, context) => {
      const ms = typeof value === 'string' ? durationMs(value) : value * scaleOf(rule.numbers);
      if (ms !== undefined && ms >= leastMs && ms <= durationMsMax) return Math.round(ms);
      const range = `from ${durationText(leastMs)} to ${durationText(durationMsMax)}`;
      context.addIssue({ code: 'custom', message: `must be ${range}` });
      return z.NEVER;
    })
    .meta(about(rule.text, { unit: rule.numbers === undefined ? 'duration' : rule.numbers }));
}

const unitName = (unit: 'ms' | 's'): string => (unit === 's' ? 'seconds' : 'milliseconds');
const scaleOf = (unit: 'ms' | 's' | undefined): number => (unit === 's' ? 1000 : 1);

/** A whole number in a range. */
export const whole = (least: number, most: number): z.ZodInt => z.int().min(least).max(most);
/** Text of at least one character. */
export const text = (longest: number): z.ZodString => z.string().min(1).max(longest);
/** A number of instances, or a share of them as `25%`. */
export const share: z.ZodUnion<readonly [z.ZodInt, z.ZodString]> = z.union(
  [whole(0, 10_000), z.string().regex(/^(?:100|\d{1,2})%$/)],
  { error: 'must be a whole number from 0 to 10000, or a share such as "25%"' },
);
export const portNumber: z.ZodInt = whole(1, 65_535);
