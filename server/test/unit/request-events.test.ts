// The events of requests: followed to the end by readers that come late, go on from wherever, or
// stay away; two attempts never mix, and memory has its bounds.

import type { RequestEvent, WorkNote } from '@sluice/sdk/wire';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EventBook } from '../../src/requests/events/event-book.ts';
import { followRequest } from '../../src/requests/events/follow.ts';
import type { RequestView } from '../../src/requests/request.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { dataOf, isByte, notes, output, percent, placesOf } from './request-notes.ts';

interface World {
  readonly clock: VirtualClock;
  readonly book: EventBook;
  change(view: Partial<RequestView>): void;
  follow(after?: string): AsyncGenerator<RequestEvent, void>;
  readonly abort: AbortController;
}

function world(limits = {}): World {
  const clock = new VirtualClock(new SeededRandom(1));
  const book = new EventBook(clock, limits);
  let view = queued;
  let version = 0;
  const waiting = new Set<() => void>();
  const abort = new AbortController();
  return {
    clock,
    book,
    abort,
    change(news) {
      view = { ...view, ...news, reason: String(++version) };
      for (const wake of waiting) wake();
    },
    follow: (after) =>
      followRequest({
        requests: {
          view: async () => view,
          changed: async (_service, _id, known, signal) => {
            while (view.reason === known && !signal.aborted) {
              await new Promise<void>((resolve) => {
                waiting.add(resolve);
                signal.addEventListener('abort', () => resolve(), { once: true });
              });
            }
            return view;
          },
        },
        book,
        version: ({ reason }) => reason,
        service: 'ocr',
        id: '7-abc',
        after,
        signal: abort.signal,
      }),
  };
}

const queued: RequestView = {
  id: '7-00000000',
  index: 7,
  requestId: 'r',
  service: 'ocr',
  state: 'queued',
  cause: undefined,
  why: { code: 'behind', text: 'others come first', until: 0 },
  position: 2,
  estimate: undefined,
  acceptedAt: 1,
  firstDeliveredAt: 0,
  lastDeliveredAt: 0,
  firstOutputAt: 0,
  doneAt: 0,
  retainUntil: 0,
  instance: '',
  revision: 0,
  deliveries: 0,
  outcomes: [],
  code: '',
  reason: '0',
  sizeIn: 0,
  sizeOut: 0,
  priority: 0,
  tags: new Map(),
  owner: undefined,
  path: undefined,
  home: 'record',
  idempotencyKey: undefined,
  delayUntil: 0,
  finishBy: 0,
  callback: undefined,
  cancel: undefined,
  redriveOf: 0,
  redrivenAs: 0,
  progress: undefined,
};

const running = (deliveries: number): Partial<RequestView> => ({
  state: 'running',
  why: undefined,
  position: undefined,
  instance: 'ocr-1',
  deliveries,
});
const done: Partial<RequestView> = {
  state: 'succeeded',
  cause: 'completed',
  code: '200',
  doneAt: 9,
};

const of = (attempt: number) => ({ service: 'ocr', index: 7, attempt });

async function take(events: AsyncGenerator<RequestEvent, void>): Promise<string> {
  const { value } = await events.next();
  if (value === undefined) return 'end';
  return `${value.id} ${value.event} ${JSON.stringify(value.data)}`;
}

it('tells a request from its place in line to its rest', async () => {
  const { book, change, follow } = world();
  const events = follow();
  expect(await take(events)).toContain('0.0 state {"state":"queued","why":{"code":"behind"');
  change({ position: 1 });
  expect(await take(events)).toContain('"position":1');
  change(running(1));
  expect(await take(events)).toBe('1.0 state {"state":"running","instance":"ocr-1"}');
  const waiting = take(events);
  book.add(of(1), [output('he')], 0);
  expect(await waiting).toBe('1.2 output {"text":"he"}');
  book.add(of(1), [output('ll')], 2);
  book.add(of(1), [output('o'), percent(50)], 4);
  expect(await take(events)).toBe('1.5 output {"text":"llo"}');
  expect(await take(events)).toBe('1.6 progress {"percent":50}');
  book.add(of(1), [output('!')], 6);
  change(done);
  expect(await take(events)).toBe('1.7 output {"text":"!"}');
  expect(await take(events)).toBe(
    '1.7 done {"state":"succeeded","cause":"completed","code":"200"}',
  );
  expect(await take(events)).toBe('end');
});

it('never mixes two attempts, whoever still speaks of the first', async () => {
  const { book, change, follow } = world();
  change(running(1));
  book.add(of(1), [output('first')], 0);
  const events = follow();
  await take(events);
  expect(await take(events)).toBe('1.5 output {"text":"first"}');
  change(running(2));
  expect(await take(events)).toBe('2.0 reset {"attempt":2}');
  book.add(of(1), [output(' late')], 5);
  expect(await take(events)).toContain('2.0 state');
  book.add(of(2), [output('second')], 0);
  book.add(of(1), [output(' later')], 10);
  expect(await take(events)).toBe('2.6 output {"text":"second"}');
  const resumed = follow('1.3');
  expect(await take(resumed)).toBe('2.0 reset {"attempt":2}');
  expect(await take(resumed)).toContain('state');
  expect(await take(resumed)).toBe('2.6 output {"text":"second"}');
  const late = follow('2.3');
  await take(late);
  expect(await take(late)).toBe('2.6 output {"text":"ond"}');
});

it('forgets a stream a while after its end; a late reader is told only how it ended', async () => {
  const { clock, book, change, follow } = world({ keptMs: 60_000 });
  change(running(1));
  book.add(of(1), [output('all of it')], 0);
  book.end(of(1));
  change(done);
  const soon = follow();
  expect(await take(soon)).toBe('1.9 output {"text":"all of it"}');
  await soon.return();
  expect(book.bytes).toBeGreaterThan(0);
  await clock.run(new Promise<void>((resolve) => clock.after(61_000, resolve)));
  expect(book.bytes).toBe(0);
  expect(await take(follow())).toContain('1.0 done');
});

it('holds to its bound in all: what has ended goes first, what runs gets a gap', async () => {
  const { book, change, follow } = world({ totalBytesMax: 10_000 });
  change(running(1));
  book.add(of(1), [output('a'.repeat(4000))], 0);
  book.add({ service: 'ocr', index: 8, attempt: 1 }, [output('b'.repeat(4000))], 0);
  book.end({ service: 'ocr', index: 8, attempt: 1 });
  book.add({ service: 'ocr', index: 9, attempt: 1 }, [output('c'.repeat(4000))], 0);
  expect(book.bytes).toBeLessThan(10_000);
  const events = follow();
  await take(events);
  expect(await take(events)).toContain('1.4000 output');
  book.add({ service: 'ocr', index: 10, attempt: 1 }, [output('d'.repeat(4000))], 0);
  book.add(of(1), [output('end')], 4000 + 5);
  expect(await take(events)).toBe('1.4005 gap {"bytes":5}');
  expect(await take(events)).toBe('1.4008 output {"text":"end"}');
  expect(book.bytes).toBeLessThan(10_000);
});

it('leaves nothing behind of readers of requests that said nothing', async () => {
  const { book, follow, abort } = world();
  const events = follow();
  await take(events);
  const waiting = take(events);
  abort.abort();
  expect(await waiting).toBe('end');
  expect(book.size).toBe(0);
});

it('gives every reader of a random stream the output of the last attempt alone', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('say', 'say', 'say', 'again', 'read'), notes), {
        maxLength: 40,
      }),
      fc.array(fc.nat(12), { minLength: 1, maxLength: 5 }),
      async (steps, cuts) => {
        const { book, change, follow } = world();
        let attempt = 1;
        let place = 0;
        let rows: WorkNote[] = [];
        change(running(1));
        let events = follow();
        let mine: number[] = [];
        let id = '';
        let taken = 0;
        const read = async (): Promise<boolean> => {
          const { value } = await events.next();
          if (value === undefined) return false;
          if (value.event === 'reset') mine = [];
          if (value.event === 'output') mine.push(...dataOf(value));
          expect(value.event).not.toBe('gap');
          ({ id } = value);
          taken += 1;
          if (cuts.includes(taken % 13)) {
            await events.return();
            events = follow(id);
          }
          return value.event !== 'done';
        };
        await read();
        for (const [what, note] of steps) {
          if (what === 'read') {
            // There is always something to read: the state.
            change({ instance: `i${taken}` });
            await read();
          } else if (what === 'again') {
            attempt += 1;
            place = 0;
            rows = [];
            change(running(attempt));
          } else {
            book.add(of(attempt), [note], place);
            rows.push(note);
            place += note.kind === 'output' ? note.data.length : 1;
          }
        }
        change(done);
        while (await read());
        expect(mine).toEqual(placesOf(rows).filter(isByte));
      },
    ),
    { numRuns: 200 },
  );
});

it('knows when the attempt under way began to speak', async () => {
  const { clock, book } = world();
  book.add(of(1), [percent(3)], 0);
  expect(book.firstOutputAt(of(1))).toBe(0);
  book.add(of(1), [output('a')], 1);
  const spokeAt = clock.now().wall;
  await clock.advance(1_000);
  book.add(of(1), [output('b')], 2);
  expect(book.firstOutputAt(of(1))).toBe(spokeAt);
  expect(book.firstOutputAt(of(2))).toBe(0);
  book.add(of(2), [output('of the next')], 0);
  expect(book.firstOutputAt(of(2))).toBe(clock.now().wall);
  // It began before anybody here heard of it.
  book.add(of(3), [output('late')], 7);
  expect(book.firstOutputAt(of(3))).toBe(0);
});
