// Cron schedules: what is read, what is refused, and when one came last.

import { expect, test } from 'vitest';
import {
  checkSchedule,
  checkTimeZone,
  isOn,
  lastTime,
  readSchedule,
  type Schedule,
} from '../../src/deployment/schedule.ts';

function schedule(text: string): Schedule {
  const read = readSchedule(text);
  if (typeof read === 'string') throw new Error(read);
  return read;
}

function last(text: string, now: string, zone = 'UTC'): string | undefined {
  const at = lastTime(schedule(text), Date.parse(now), zone);
  return at === undefined ? undefined : new Date(at).toISOString();
}

test.each([
  ['0 8 * * *', '2026-03-04T07:59:59Z', '2026-03-03T08:00:00.000Z'],
  ['0 8 * * *', '2026-03-04T08:00:00Z', '2026-03-04T08:00:00.000Z'],
  ['30 */1 * * * *', '2026-03-04T08:00:29.999Z', '2026-03-04T07:59:30.000Z'],
  ['*/15 9-17 * * mon-fri', '2026-03-08T12:00:00Z', '2026-03-06T17:45:00.000Z'],
  ['0 0 29 2 *', '2026-03-01T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ['0 0 1,15 * *', '2026-03-20T00:00:00Z', '2026-03-15T00:00:00.000Z'],
  ['5/20 * * * *', '2026-03-04T08:44:00Z', '2026-03-04T08:25:00.000Z'],
  ['0 12 * * 7', '2026-03-04T00:00:00Z', '2026-03-01T12:00:00.000Z'],
  // Either kind of day, when both are given: the 13th, or a Friday.
  ['0 0 13 * fri', '2026-03-12T00:00:00Z', '2026-03-06T00:00:00.000Z'],
  ['0 0 13 * fri', '2026-04-14T00:00:00Z', '2026-04-13T00:00:00.000Z'],
  ['0 0 12 ? DEC *', '2026-03-04T00:00:00Z', '2025-12-31T12:00:00.000Z'],
])('finds when %s came last before %s', (text, now, expected) => {
  expect(last(text, now)).toBe(expected);
});

test('says that a day that does not exist never came', () => {
  expect(last('0 0 30 2 *', '2026-03-01T00:00:00Z')).toBeUndefined();
});

test('reads the clock of the time zone, across its changes', () => {
  expect(last('0 8 * * *', '2026-03-04T01:00:00Z', 'Asia/Shanghai')).toBe(
    '2026-03-04T00:00:00.000Z',
  );
  // In Berlin 02:30 does not exist on 29 March 2026 and exists twice on 25 October.
  expect(last('0 9 * * *', '2026-03-28T12:00:00Z', 'Europe/Berlin')).toBe(
    '2026-03-28T08:00:00.000Z',
  );
  expect(last('0 9 * * *', '2026-03-29T12:00:00Z', 'Europe/Berlin')).toBe(
    '2026-03-29T07:00:00.000Z',
  );
  expect(last('30 2 * * *', '2026-03-29T12:00:00Z', 'Europe/Berlin')).toBe(
    '2026-03-29T01:30:00.000Z',
  );
  expect(last('30 2 * * *', '2026-10-25T12:00:00Z', 'Europe/Berlin')).toMatch(
    /^2026-10-25T0[01]:30:00.000Z$/,
  );
});

test.each([
  // New York passes over 02:00 to 03:00 on 8 March 2026, at 07:00 UTC.
  ['30 2 * * *', '2026-03-08T07:29:59Z', '2026-03-07T07:30:00.000Z'],
  ['30 2 * * *', '2026-03-08T07:30:00Z', '2026-03-08T07:30:00.000Z'],
  ['0 3 * * *', '2026-03-08T07:00:00Z', '2026-03-08T07:00:00.000Z'],
  // It shows 01:00 to 02:00 twice on 1 November, from 05:00 UTC on.
  ['30 1 * * *', '2026-11-01T05:29:59Z', '2026-10-31T05:30:00.000Z'],
  ['30 1 * * *', '2026-11-01T06:45:00Z', '2026-11-01T05:30:00.000Z'],
  ['0 2 * * *', '2026-11-01T07:00:00Z', '2026-11-01T07:00:00.000Z'],
])('%s before %s in New York came last at %s: never before the change', (text, now, expected) => {
  expect(last(text, now, 'America/New_York')).toBe(expected);
});

test('comes exactly once a day in every zone, whatever its clocks do', () => {
  for (const zone of ['America/New_York', 'Australia/Lord_Howe', 'Africa/Cairo']) {
    for (const text of ['10 2 * * *', '15 0 * * *']) {
      const times = new Set<string | undefined>();
      const start = Date.parse('2026-01-01T12:00:00Z');
      for (let hour = 0; hour <= 365 * 24; hour += 12) {
        times.add(last(text, new Date(start + hour * 3_600_000).toISOString(), zone));
      }
      expect([zone, text, times.size]).toEqual([zone, text, 366]);
    }
  }
});

test('agrees with stepping back second by second', () => {
  const texts = ['*/7 * * * *', '10 3,15 * * *', '0 30 0-6/2 * * 1,3', '59 59 23 31 * *'];
  for (const text of texts) {
    const read = schedule(text);
    const matches = (at: number): boolean => {
      const date = new Date(at);
      return (
        isOn(read, date) &&
        read.hours.includes(date.getUTCHours()) &&
        read.minutes.includes(date.getUTCMinutes()) &&
        read.seconds.includes(date.getUTCSeconds())
      );
    };
    for (const now of ['2026-02-01T00:00:05Z', '2026-02-04T15:10:00Z', '2026-02-05T03:09:59Z']) {
      let at = Date.parse(now);
      while (!matches(at)) at -= 1000;
      expect(lastTime(read, Date.parse(now), 'UTC')).toBe(at);
    }
  }
});

test('passes over days that are excluded', () => {
  const friday = schedule('* * * * * 5');
  const at = lastTime(schedule('0 8 * * *'), Date.parse('2026-03-06T12:00:00Z'), 'UTC', (day) =>
    isOn(friday, day),
  );
  expect(new Date(at ?? 0).toISOString()).toBe('2026-03-05T08:00:00.000Z');
});

test.each([
  ['* * * *', 'has 4 fields'],
  ['60 * * * *', '60 is no minute: 0 to 59 are'],
  ['* * 0 * *', '0 is no day of the month'],
  ['* * * foo *', 'foo is no month'],
  ['*/0 * * * *', 'is no minute'],
  ['*/00 * * * *', 'is no minute'],
  ['9-5 * * * *', '9-5 is no minute'],
  ['* * * * 8', '8 is no day of the week'],
  ['', 'fields'],
])('refuses %j and says why', (text, why) => {
  expect(checkSchedule(text)).toContain(why);
});

test('takes what is right', () => {
  expect(checkSchedule('0 8 * * mon-fri')).toBeUndefined();
  expect(checkTimeZone('Europe/Berlin')).toBeUndefined();
  expect(checkTimeZone('Mars/Olympus')).toContain('no time zone');
});
