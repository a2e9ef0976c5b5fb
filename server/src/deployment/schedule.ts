// Times that come again, written as cron does: five fields (minute, hour, day of the month, month,
// day of the week) or six with the second first. Answers when such a time came last, which needs
// no memory: after a restart the answer is the same. An own reader, because packages go forwards
// from one time to the next and bring timers along.

/** A schedule that has been read. */
export interface Schedule {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly months: ReadonlySet<number>;
  /** Whether a day, 1 to 31, that is a day of the week, 0 = Sunday, is one of the days. */
  hasDay(dayOfMonth: number, dayOfWeek: number): boolean;
}

/** What is wrong with the text of a schedule; undefined: nothing. */
export function checkSchedule(text: string): string | undefined {
  const read = readSchedule(text);
  return typeof read === 'string' ? read : undefined;
}

/** What is wrong with the name of a time zone; undefined: nothing. */
export function checkTimeZone(name: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return undefined;
  } catch {
    return `${name} is no time zone; they are named as in Asia/Shanghai, or UTC`;
  }
}

/** A schedule; or what is wrong with its text. */
export function readSchedule(text: string): Schedule | string {
  const given = text.trim().split(/\s+/);
  if (given.length !== 5 && given.length !== 6) {
    return `${text} has ${given.length} fields; five or, with seconds first, six are meant`;
  }
  const texts = given.length === 5 ? ['0', ...given] : given;
  const sets: (readonly number[])[] = [];
  for (const [at, field] of fields.entries()) {
    const values = readField(texts[at] ?? '', field);
    if (typeof values === 'string') return `${text}: ${values}`;
    sets.push(values);
  }
  const [seconds = [], minutes = [], hours = [], days = [], months = [], weekdays = []] = sets;
  const daysOfMonth = new Set(days);
  // Sunday is 0 and 7.
  const daysOfWeek = new Set(weekdays.map((day) => day % 7));
  const isFree = (at: number): boolean => /^[*?]/.test(texts[at] ?? '');
  // As cron always did: where both kinds of day are given, either will do.
  const isEither = !isFree(3) && !isFree(5);
  const hasDay = (dayOfMonth: number, dayOfWeek: number): boolean => {
    const inMonth = daysOfMonth.has(dayOfMonth);
    const inWeek = daysOfWeek.has(dayOfWeek);
    return isEither ? inMonth || inWeek : inMonth && inWeek;
  };
  return { seconds, minutes, hours, months: new Set(months), hasDay };
}

/** Leap days come every eighth year at worst, as around 2100. */
const daysBackMax = 8 * 366 + 1;
const dayMs = 86_400_000;

/**
 * When `schedule` last came, at or before `now`; undefined: not in eight years. Days for which
 * `isExcluded` is true are passed over. Times that a change of the clocks leaves out come after it,
 * and those that it repeats come once.
 */
export function lastTime(
  schedule: Schedule,
  now: number,
  timeZone: string,
  isExcluded: (day: Date) => boolean = () => false,
): number | undefined {
  const zone = zoneOf(timeZone);
  const today = startOfDay(zone.wallAt(now));
  // Tomorrow too: around a change of the clocks its first minutes may be over already.
  for (let back = -1; back <= daysBackMax; back += 1) {
    const day = today - back * dayMs;
    if (!isOn(schedule, new Date(day)) || isExcluded(new Date(day))) continue;
    const found = lastOfDay(schedule, day, now, zone);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a day, given as midnight UTC of its date, is one of the schedule's. */
export function isOn(schedule: Schedule, day: Date): boolean {
  if (!schedule.months.has(day.getUTCMonth() + 1)) return false;
  return schedule.hasDay(day.getUTCDate(), day.getUTCDay());
}

function lastOfDay(schedule: Schedule, day: number, now: number, zone: Zone): number | undefined {
  for (const hour of schedule.hours.toReversed()) {
    if (zone.instantOf(day + hour * 3_600_000) > now) continue;
    for (const minute of schedule.minutes.toReversed()) {
      const start = day + hour * 3_600_000 + minute * 60_000;
      const first = zone.instantOf(start);
      if (first > now) continue;
      for (const second of schedule.seconds.toReversed()) {
        if (first + second * 1000 <= now) return first + second * 1000;
      }
    }
  }
  return undefined;
}

function startOfDay(wall: number): number {
  return Math.floor(wall / dayMs) * dayMs;
}

/** The clocks on the wall of one time zone, as if they showed UTC. */
interface Zone {
  wallAt(instant: number): number;
  instantOf(wall: number): number;
}

/** Making one is slow; there are some 600 names at most. */
const zones = new Map<string, Zone>();

function zoneOf(timeZone: string): Zone {
  const known = zones.get(timeZone) ?? makeZone(timeZone);
  zones.set(timeZone, known);
  return known;
}

function makeZone(timeZone: string): Zone {
  if (timeZone === 'UTC') return { wallAt: (instant) => instant, instantOf: (wall) => wall };
  const format = new Intl.DateTimeFormat('en', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const wallAt = (instant: number): number => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, +value]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const date = Date.UTC(part('year'), part('month') - 1, part('day'));
    const seconds = (part('hour') * 60 + part('minute')) * 60 + part('second');
    return date + seconds * 1000;
  };
  // No zone changes its clocks twice within two days: one of the two offsets is in force.
  const instantOf = (wall: number): number => {
    const before = wall - offsetAt(wall - dayMs);
    const after = wall - offsetAt(wall + dayMs);
    // Shown twice, it is the first time; where the clocks pass it over, as long after the change as
    // it would have been without.
    return wallAt(before) === wall || wallAt(after) !== wall ? before : after;
  };
  const offsetAt = (instant: number): number => wallAt(instant) - instant;
  return { wallAt, instantOf };
}

interface Field {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  /** Names for the values from `first` on. */
  readonly words: readonly string[];
}

const monthWords = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const dayWords = 'sun mon tue wed thu fri sat'.split(' ');

const fields: readonly Field[] = [
  { name: 'second', first: 0, last: 59, words: [] },
  { name: 'minute', first: 0, last: 59, words: [] },
  { name: 'hour', first: 0, last: 23, words: [] },
  { name: 'day of the month', first: 1, last: 31, words: [] },
  { name: 'month', first: 1, last: 12, words: monthWords },
  { name: 'day of the week', first: 0, last: 7, words: dayWords },
];

/** Values in rising order; or what is wrong. */
function readField(text: string, field: Field): readonly number[] | string {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^([*?]|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) return `${part} is no ${field.name}`;
    const [, all, from, to, step] = match;
    const isAll = all === '*' || all === '?';
    const first = isAll ? field.first : numberOf(from ?? '', field);
    // `5/10` goes on to the end, as `5-59/10` does.
    const open = isAll || (to === undefined && step !== undefined);
    const last = open ? field.last : numberOf(to ?? from ?? '', field);
    const pace = Number(step ?? 1);
    if (first === undefined || last === undefined || last < first || pace === 0) {
      return `${part} is no ${field.name}: ${field.first} to ${field.last} are`;
    }
    for (let value = first; value <= last; value += pace) values.add(value);
  }
  return [...values].sort((one, other) => one - other);
}

function numberOf(text: string, field: Field): number | undefined {
  const word = field.words.indexOf(text.toLowerCase());
  if (word >= 0) return word + field.first;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.first && value <= field.last ? value : undefined;
}
