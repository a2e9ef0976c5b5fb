// Dates and times as PMML has them: ISO texts without a zone (a zone given is kept to), held as
// milliseconds since 1970, times as milliseconds since midnight. All arithmetic is in UTC, so that
// no machine's zone changes a score.

const dayMs = 86_400_000;

/** The instant of an ISO date; undefined for what is none. */
export function parseDate(text: string): number | undefined {
  const match = /^(-?\d{4,6})-(\d\d)-(\d\d)$/.exec(text.trim());
  return match === null ? undefined : dateOf(match);
}

/** The milliseconds since midnight of an ISO time; undefined for what is none. */
export function parseTime(text: string): number | undefined {
  const match = /^(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?$/.exec(text.trim());
  return match === null ? undefined : timeOf(match[1], match[2], match[3], match[4]);
}

/** The instant of an ISO date with a time behind T or a space; undefined for what is none. */
export function parseDateTime(text: string): number | undefined {
  const match =
    /^(-?\d{4,6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(
      text.trim(),
    );
  if (match === null) return undefined;
  const date = dateOf(match);
  if (date === undefined || match[4] === undefined) return date;
  const time = timeOf(match[4], match[5], match[6], match[7]);
  return time === undefined ? undefined : date + time - zoneMs(match[8]);
}

/** The date of an instant, as 2024-05-31. */
export function dateText(instant: number): string {
  return new Date(instant).toISOString().split('T')[0] ?? '';
}

/** The time of milliseconds since midnight, as 17:05:00 or 17:05:00.25. */
export function timeText(ms: number): string {
  return new Date(ms)
    .toISOString()
    .slice(11, 23)
    .replace(/\.?0+$/, '');
}

/** Date and time of an instant, as 2024-05-31T17:05:00. */
export function dateTimeText(instant: number): string {
  const midnight = Math.floor(instant / dayMs) * dayMs;
  return `${dateText(instant)}T${timeText(instant - midnight)}`;
}

/** Whole days from the first of January of a year: 1960-01-03 is 2 for 1960. */
export function daysSinceYear(instant: number, year: number): number {
  return Math.floor(instant / dayMs) - Date.UTC(year, 0, 1) / dayMs;
}

/** Seconds from the first of January of a year, midnight. */
export function secondsSinceYear(instant: number, year: number): number {
  return Math.floor((instant - Date.UTC(year, 0, 1)) / 1000);
}

/** Seconds of an instant, or of a time, since its midnight. */
export function secondsSinceMidnight(instant: number): number {
  return Math.floor((instant - Math.floor(instant / dayMs) * dayMs) / 1000);
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** What the directives of strftime stand for; of the others a pattern is refused. */
const directives: Readonly<Record<string, (date: Date) => string>> = {
  '%': () => '%',
  Y: (date) => String(date.getUTCFullYear()).padStart(4, '0'),
  y: (date) => two(date.getUTCFullYear() % 100),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, ' '),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(((date.getUTCHours() + 11) % 12) + 1),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  p: (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  B: (date) => months[date.getUTCMonth()] ?? '',
  b: (date) => (months[date.getUTCMonth()] ?? '').slice(0, 3),
  A: (date) => weekdays[date.getUTCDay()] ?? '',
  a: (date) => (weekdays[date.getUTCDay()] ?? '').slice(0, 3),
  w: (date) => String(date.getUTCDay()),
  u: (date) => String(((date.getUTCDay() + 6) % 7) + 1),
  j: (date) => String(daysSinceYear(date.getTime(), date.getUTCFullYear()) + 1).padStart(3, '0'),
};

/** Directives that stand for others. */
const combined: Readonly<Record<string, string>> = {
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  T: '%H:%M:%S',
  R: '%H:%M',
};

/** What writes instants by a pattern of strftime; the directive that isn't known as text. */
export function dateFormat(pattern: string): ((instant: number) => string) | string {
  const whole = pattern.replace(/%([DFTR])/g, (_, letter: string) => combined[letter] ?? '');
  const parts = [...whole.matchAll(/%(.?)|[^%]+/g)].map(([text, letter]) => {
    if (letter === undefined) return () => text;
    return directives[letter] ?? text;
  });
  const unknown = parts.find((part) => typeof part === 'string');
  if (unknown !== undefined) return unknown;
  const writers = parts.filter((part) => typeof part !== 'string');
  return (instant) => writers.map((write) => write(new Date(instant))).join('');
}

function dateOf([, year, month, day]: readonly (string | undefined)[]): number | undefined {
  const instant = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const date = new Date(instant);
  // 31 June is not the first of July.
  const isReal = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
  return isReal ? instant : undefined;
}

function timeOf(hours = '0', minutes = '0', seconds = '0', fraction = ''): number | undefined {
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return whole * 1000 + Math.round(Number(`0${fraction}`) * 1000);
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
