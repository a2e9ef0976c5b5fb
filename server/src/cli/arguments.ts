// How values on the command line are read; a wrong one is refused with its option's name.

import { InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../config/duration.ts';

/** 0 and up. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Not a whole number.');
  return Number(text);
}

/** At least 1. */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('Must be at least 1.');
  return value;
}

/** Milliseconds. */
export function duration(text: string): number {
  const value = parseDuration(text);
  if (value === undefined) throw new InvalidArgumentError('Not a duration such as 30s or 1m30s.');
  return value;
}

/** An option that takes a duration; help shows its default as people write it. */
export function durationOption(flags: string, description: string, fallback: string): Option {
  return new Option(flags, description).argParser(duration).default(duration(fallback), fallback);
}

/** For options that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** `name=value`, several times. */
export function collectTag(
  text: string,
  before: ReadonlyMap<string, string> | undefined,
): ReadonlyMap<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('Not a tag such as name=value.');
  return new Map([...(before ?? []), [text.slice(0, equals), text.slice(equals + 1)]]);
}
