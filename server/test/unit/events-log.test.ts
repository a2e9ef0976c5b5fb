// The event log over a folder of its own: numbers, what is kept, for how long, and what it does
// when the disk or a reader does not keep up.

import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventInfo } from '@sluice/sdk/wire';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EventLog, type EventLogOptions } from '../../src/events/event-log.ts';
import type { ServiceEvent } from '../../src/kernel/events.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

let folder: string;
let clock: VirtualClock;
const opened: EventLog[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-events-'));
  clock = new VirtualClock(new SeededRandom(1));
});

afterEach(async () => {
  for (const log of opened.splice(0)) await log.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function openLog(options: Partial<EventLogOptions> = {}): Promise<EventLog> {
  const log = new EventLog({ folder, clock, log: silentLog, ...options });
  opened.push(log);
  await log.start();
  return log;
}

function event(service: string, text: string, more: Partial<ServiceEvent> = {}): ServiceEvent {
  return { service, kind: 'instance', what: 'ready', text, ...more };
}

const file = (): string => join(folder, 'events.ndjson');
const textsOf = (events: readonly EventInfo[]): string[] => events.map(({ text }) => text);
const numbersOf = (events: readonly EventInfo[]): number[] => events.map(({ number }) => number);

test('numbers events and gives them by service, kind, number and count', async () => {
  const log = await openLog();
  log.record(event('ocr', 'one', { instance: 'ocr-1', facts: { code: 1, took: Number.NaN } }));
  log.record(event('chat', 'two', { kind: 'scaling', what: 'held' }));
  log.record(event('ocr', 'three', { kind: 'scaling', what: 'scale-out' }));
  log.record(event('ocr', 'four'));
  expect(numbersOf(log.read({}))).toEqual([1, 2, 3, 4]);
  expect(textsOf(log.read({ service: 'ocr' }))).toEqual(['one', 'three', 'four']);
  expect(textsOf(log.read({ kind: 'scaling' }))).toEqual(['two', 'three']);
  expect(textsOf(log.read({ after: 1, limit: 2 }))).toEqual(['two', 'three']);
  expect(textsOf(log.read({ limit: 2 }))).toEqual(['three', 'four']);
  expect(log.read({ service: 'nobody' })).toEqual([]);
  expect(log.read({ limit: 1, after: 0 })[0]).toEqual({
    number: 1,
    at: new Date(clock.now().wall).toISOString(),
    service: 'ocr',
    kind: 'instance',
    what: 'ready',
    text: 'one',
    instance: 'ocr-1',
    facts: { code: 1, took: 'NaN' },
  });
});

test('is there again after a stop, and takes events before its start', async () => {
  const first = await openLog();
  first.record(event('ocr', 'before'));
  await first.stop();
  const second = new EventLog({ folder, clock, log: silentLog });
  opened.push(second);
  second.record(event('ocr', 'early'));
  await second.start();
  second.record(event('ocr', 'after'));
  const events = second.read({});
  expect(textsOf(events)).toEqual(['before', 'early', 'after']);
  expect(events[1]?.number).toBeGreaterThan(1000);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
});

test.each([1, 999, 1000])('after %i events a thousand numbers are passed over', async (count) => {
  const first = await openLog();
  for (let at = 0; at < count; at += 1) first.record(event('ocr', `event ${at}`));
  await first.stop();
  const second = await openLog();
  second.record(event('ocr', 'next'));
  // A killed server may have told up to a thousand that are not on disk.
  expect(numbersOf(second.read({})).at(-1)).toBeGreaterThan(count + 1000);
});

test('numbers rise also when the last ones were those of a service that is forgotten', async () => {
  const first = await openLog();
  first.record(event('ocr', 'kept'));
  for (let at = 0; at < 5000; at += 1) first.record(event('old', `event ${at}`));
  first.gone('old');
  await clock.advance(3_600_001);
  expect(textsOf(first.read({}))).toEqual(['kept']);
  await first.stop();
  const second = await openLog();
  second.record(event('ocr', 'next'));
  expect(textsOf(second.read({ after: 5001 }))).toContain('next');
});

test('is on disk soon after it was recorded, without a stop', async () => {
  const log = await openLog();
  for (let at = 0; at < 50; at += 1) log.record(event('ocr', `event ${at}`));
  await vi.waitFor(() => expect(readFileSync(file(), 'utf8')).toContain('event 49'));
  const killed = await openLog();
  expect(killed.read({})).toHaveLength(50);
});

test('leaves out a line that a crash has torn, and damaged ones, and goes on', async () => {
  const first = await openLog();
  first.record(event('ocr', 'whole'));
  await first.stop();
  appendFileSync(file(), '{"number":"no"}\nno json at all\n{"number":2,"at":"2026-01-0');
  const warn = vi.fn();
  const second = await openLog({ log: { ...silentLog, warn } });
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ lines: 3 }),
    expect.anything(),
  );
  second.record(event('ocr', 'next'));
  await second.stop();
  const third = await openLog();
  expect(textsOf(third.read({}))).toEqual(['whole', 'next']);
});

test('leaves the file of a newer Sluice alone and goes on in memory', async () => {
  const newer = '{"format":2}\n{"unknown":true}\n';
  writeFileSync(file(), newer);
  const warn = vi.fn();
  const log = await openLog({ log: { ...silentLog, warn } });
  log.record(event('ocr', 'in memory'));
  expect(textsOf(log.read({}))).toEqual(['in memory']);
  await log.stop();
  expect(readFileSync(file(), 'utf8')).toBe(newer);
  expect(warn).toHaveBeenCalledTimes(1);
});

test('says once that the disk refuses, goes on in memory, and catches up when it can', async () => {
  // A folder where the file is to be written refuses as a full disk does, for root too.
  const inTheWay = `${file()}.new`;
  mkdirSync(inTheWay);
  const warn = vi.fn();
  const log = await openLog({ log: { ...silentLog, warn } });
  log.record(event('ocr', 'one'));
  await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(1));
  log.record(event('ocr', 'two'));
  await clock.advance(31_000);
  log.record(event('ocr', 'three'));
  rmdirSync(inTheWay);
  await vi.waitFor(async () => {
    await clock.advance(31_000);
    expect(readFileSync(file(), 'utf8')).toContain('three');
  });
  log.record(event('ocr', 'four'));
  await log.stop();
  expect(warn).toHaveBeenCalledTimes(1);
  expect(textsOf((await openLog()).read({}))).toEqual(['one', 'two', 'three', 'four']);
});

test('keeps so many of a service and in all; says where older ones may be missing', async () => {
  const limits = { perServiceMax: 3, totalMax: 5 };
  const log = await openLog({ limits });
  for (let at = 1; at <= 6; at += 1) log.record(event('loud', `loud ${at}`));
  log.record(event('calm', 'calm 7'));
  expect(textsOf(log.read({ service: 'loud' }))).toEqual(['loud 4', 'loud 5', 'loud 6']);
  log.record(event('calm', 'calm 8'));
  log.record(event('quiet', 'quiet 9'));
  // One too many in all: the oldest of the service with the most goes.
  expect(numbersOf(log.read({}))).toEqual([5, 6, 7, 8, 9]);
  const [notice, ...rest] = log.read({ service: 'loud', after: 1 });
  expect(notice).toMatchObject({ kind: 'missed', what: 'dropped', number: 4 });
  expect(textsOf(rest)).toEqual(['loud 5', 'loud 6']);
  expect(textsOf(log.read({ service: 'calm', after: 1 }))).toEqual(['calm 7', 'calm 8']);
  expect(textsOf(log.read({ service: 'loud', after: 5 }))).toEqual(['loud 6']);
});

test('the file is written anew before it has grown far beyond what is kept', async () => {
  const log = await openLog({ limits: { perServiceMax: 10 } });
  const text = 'x'.repeat(900);
  for (let at = 0; at < 5000; at += 1) log.record(event('loud', text));
  await vi.waitFor(() => expect(statSync(file()).size).toBeLessThan(1.2 * 2 ** 20));
  await log.stop();
  expect(statSync(file()).size).toBeLessThan(1.2 * 2 ** 20);
  expect((await openLog()).read({})).toHaveLength(10);
});

test('events of a deleted service can be read for an hour, also by its next life', async () => {
  const log = await openLog();
  log.record(event('ocr', 'deleted', { kind: 'service', what: 'deleted' }));
  log.gone('ocr');
  await clock.advance(3_500_000);
  expect(log.knows('ocr')).toBe(true);
  log.record(event('ocr', 'made again', { kind: 'service', what: 'created' }));
  await clock.advance(7_200_000);
  expect(textsOf(log.read({ service: 'ocr' }))).toEqual(['deleted', 'made again']);
  log.gone('ocr');
  expect(log.knows('ocr')).toBe(false);
  expect(log.read({})).toEqual([]);
  await log.stop();
  expect((await openLog()).read({})).toEqual([]);
});

test('services that a new server does not know are gone', async () => {
  const first = await openLog();
  first.record(event('ocr', 'kept'));
  first.record(event('chat', 'lost'));
  await first.stop();
  const second = await openLog();
  second.keep(['ocr']);
  expect(second.knows('chat')).toBe(true);
  await clock.advance(3_700_000);
  expect(second.knows('chat')).toBe(false);
  expect(textsOf(second.read({}))).toEqual(['kept']);
});

test('counts what happens in its own time, and knows when it happened last before', async () => {
  const first = await openLog();
  for (const service of ['ocr', 'ocr', 'chat']) first.record(event(service, 'before'));
  const before = clock.now().wall;
  await first.stop();
  await clock.advance(60_000);
  const second = await openLog();
  second.record(event('ocr', 'now'));
  expect([...second.tallies()]).toEqual([
    { service: 'ocr', kind: 'instance', what: 'ready', count: 1, lastAt: clock.now().wall },
    { service: 'chat', kind: 'instance', what: 'ready', count: 0, lastAt: before },
  ]);
  second.keep(['ocr']);
  await clock.advance(3_700_000);
  expect([...second.tallies()].map(({ service }) => service)).toEqual(['ocr']);
});

test('a follower that begins after a number with a limit misses nothing from then on', async () => {
  const log = await openLog();
  for (let at = 1; at <= 8; at += 1) log.record(event('ocr', `event ${at}`));
  const reader = log.follow({ after: 2, limit: 2 }, new AbortController().signal);
  const got = [(await reader.next()).value, (await reader.next()).value];
  log.record(event('ocr', 'event 9'));
  got.push((await reader.next()).value);
  expect(got.map((each) => each?.number)).toEqual([7, 8, 9]);
  const none = log.follow({ limit: 0 }, new AbortController().signal);
  const next = none.next();
  log.record(event('ocr', 'event 10'));
  expect((await next).value).toMatchObject({ number: 10 });
  for (const each of [reader, none]) await each.return(undefined);
});

test('a follower gets what there is, then what comes, of its service and kind only', async () => {
  const log = await openLog();
  log.record(event('ocr', 'one'));
  const end = new AbortController();
  const reader = log.follow({ service: 'ocr', kind: 'instance' }, end.signal);
  expect((await reader.next()).value).toMatchObject({ text: 'one' });
  const next = reader.next();
  log.record(event('chat', 'another service'));
  log.record(event('ocr', 'another kind', { kind: 'scaling' }));
  log.record(event('ocr', 'two'));
  expect((await next).value).toMatchObject({ text: 'two' });
  const last = reader.next();
  end.abort();
  expect(await last).toEqual({ done: true, value: undefined });
});

test('a slow follower holds up nobody and is told how many it has missed', async () => {
  const log = await openLog({ limits: { followerWaitingMax: 3 } });
  const reader = log.follow({}, new AbortController().signal);
  const first = reader.next();
  for (let at = 1; at <= 8; at += 1) log.record(event('ocr', `event ${at}`));
  const got = [(await first).value];
  for (let at = 0; at < 3; at += 1) got.push((await reader.next()).value);
  expect(got[0]).toMatchObject({ kind: 'missed', number: 5, facts: { count: 5 } });
  expect(got[0]?.text).toMatch(/^5 events up to number 5 /);
  expect(got.slice(1)).toMatchObject([{ number: 6 }, { number: 7 }, { number: 8 }]);
  await reader.return(undefined);
});

test('a stop ends its followers once they have what was recorded', async () => {
  const log = await openLog();
  const reader = log.follow({}, new AbortController().signal);
  const first = reader.next();
  log.record(event('ocr', 'the last'));
  await log.stop();
  expect((await first).value).toMatchObject({ text: 'the last' });
  expect((await reader.next()).done).toBe(true);
});

test('never throws, whatever it is given', async () => {
  const log: EventLog = await openLog();
  const facts = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`fact${at}`, at]));
  log.record(event('ocr', 'x'.repeat(5000), { facts: { ...facts } }));
  log.record(event('', '\u0000\n', { facts: { long: 'y'.repeat(5000) } }));
  await log.stop();
  log.record(event('ocr', 'after the stop'));
  const [first, second] = (await openLog()).read({});
  expect(first?.text).toHaveLength(1000);
  expect(Object.keys(first?.facts ?? {})).toHaveLength(16);
  expect(String(second?.facts.long)).toHaveLength(1000);
});
