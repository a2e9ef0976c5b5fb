// Updates of instances, played to their end in every size and margin.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Rolling, Share } from '../../src/deployment/instances.ts';
import type { DeployedService } from '../../src/deployment/service.ts';
import type { Copy } from '../../src/instances/copy.ts';
import { plan } from '../../src/instances/plan.ts';
import { marginsOf, roomMakers } from '../../src/instances/rolling.ts';
import { deployed } from '../deployed.ts';

const percent = (value: number): Share => ({ kind: 'percent', value });
const count = (value: number): Share => ({ kind: 'count', value });

function rolling(maxSurge: Share, maxUnavailable: Share): Rolling {
  return { maxSurge, maxUnavailable, readyTimeoutMs: 600_000 };
}

function wanted(instances: number, how: Rolling, sourceRevision = 2): DeployedService {
  const settings = { count: instances, rolling: how };
  return deployed(settings, { revision: sourceRevision, sourceRevision });
}

function copy(name: string, more: Partial<Copy> = {}): Copy {
  return { name, key: '1.1', url: undefined, isReady: true, isLeaving: false, held: 0, ...more };
}

describe('margins', () => {
  it('round a share of surge up and one of absence down', () => {
    expect(marginsOf(rolling(percent(25), percent(25)), 10)).toEqual({ surge: 3, unavailable: 2 });
    expect(marginsOf(rolling(percent(2), count(0)), 50)).toEqual({ surge: 1, unavailable: 0 });
    expect(marginsOf(rolling(percent(2), count(0)), 51)).toEqual({ surge: 2, unavailable: 0 });
    expect(marginsOf(rolling(percent(100), percent(100)), 3)).toEqual({ surge: 3, unavailable: 3 });
    expect(marginsOf(rolling(count(2), count(9)), 3)).toEqual({ surge: 2, unavailable: 3 });
  });

  it('of nothing at all allow one more, or no update would ever end', () => {
    expect(marginsOf(rolling(count(0), count(0)), 3)).toEqual({ surge: 1, unavailable: 0 });
    expect(marginsOf(rolling(count(0), percent(10)), 3)).toEqual({ surge: 1, unavailable: 0 });
  });
});

describe('a machine that holds no more than the wanted number', () => {
  const how = rolling(count(0), count(1));

  it('starts nothing in the place of one that still finishes its work', () => {
    const current = (name: string, isLeaving: boolean) => copy(name, { key: '1.2', isLeaving });
    const copies = [current('a', true), current('b', false)];
    expect(plan(wanted(2, how), copies).start).toEqual([]);
    expect(plan(wanted(2, how), copies.slice(1)).start).toEqual([undefined]);
    // Where there is room it comes at once.
    expect(plan(wanted(2, rolling(count(1), count(0))), copies).start).toEqual([undefined]);
  });
});

/** A world in which copies become ready and finish leaving in an order that a test draws. */
class Play {
  copies: Copy[];
  readonly #target: DeployedService;
  readonly #next: () => number;
  #made = 0;

  constructor(copies: readonly Copy[], target: DeployedService, next: () => number) {
    this.copies = [...copies];
    this.#target = target;
    this.#next = next;
  }

  decide(): void {
    const { start, leave } = plan(this.#target, this.copies);
    this.copies = this.copies.map((one) =>
      leave.includes(one.name) ? { ...one, isLeaving: true } : one,
    );
    for (const _ of start) {
      this.#made += 1;
      this.copies.push(copy(`new-${this.#made}`, { key: '1.2', isReady: false }));
    }
  }

  /** One new copy becomes ready, or one that leaves is gone; false: neither can happen. */
  step(): boolean {
    const able = this.copies.filter((one) => one.isLeaving || !one.isReady);
    const chosen = able[this.#next() % Math.max(1, able.length)];
    if (chosen === undefined) return false;
    this.copies = chosen.isLeaving
      ? this.copies.filter((one) => one !== chosen)
      : this.copies.map((one) => (one === chosen ? { ...one, isReady: true } : one));
    return true;
  }

  get ready(): number {
    return this.copies.filter(({ isReady, isLeaving }) => isReady && !isLeaving).length;
  }

  get staying(): number {
    return this.copies.filter(({ isLeaving }) => !isLeaving).length;
  }
}

const share = fc.oneof(
  fc.nat({ max: 6 }).map(count),
  fc.integer({ min: 0, max: 100 }).map(percent),
);

it('an update keeps its margins in every order of events, and ends', () => {
  fc.assert(
    fc.property(
      fc.record({
        instances: fc.integer({ min: 1, max: 9 }),
        surge: share,
        unavailable: share,
        before: fc.integer({ min: 0, max: 12 }),
        broken: fc.nat({ max: 3 }),
        leaving: fc.nat({ max: 2 }),
        busy: fc.array(fc.nat({ max: 3 }), { maxLength: 12 }),
        choices: fc.infiniteStream(fc.nat({ max: 1000 })),
      }),
      ({ instances, surge, unavailable, before, broken, leaving, busy, choices }) => {
        const how = rolling(surge, unavailable);
        const margins = marginsOf(how, instances);
        const old = Array.from({ length: before }, (_, at) =>
          copy(`old-${at}`, { held: busy[at] ?? 0 }),
        );
        const bad = Array.from({ length: broken }, (_, at) =>
          copy(`bad-${at}`, { isReady: false }),
        );
        const gone = Array.from({ length: leaving }, (_, at) =>
          copy(`gone-${at}`, { isLeaving: true }),
        );
        const next = (): number => choices.next().value ?? 0;
        const play = new Play([...old, ...bad, ...gone], wanted(instances, how), next);
        const least = Math.min(before, instances) - margins.unavailable;
        for (let round = 0; ; round += 1) {
          expect(round).toBeLessThan(200);
          play.decide();
          const isOld = play.copies.some(({ key, isReady }) => key === '1.1' && isReady);
          if (isOld) expect(play.ready).toBeGreaterThanOrEqual(least);
          const most = Math.max(instances + margins.surge, before);
          expect(play.staying).toBeLessThanOrEqual(most);
          // The machine is said to hold no more: those that leave count too.
          if (margins.surge === 0) {
            const all = play.copies.length;
            expect(all).toBeLessThanOrEqual(Math.max(instances, before + broken + leaving));
          }
          if (!play.step()) break;
        }
        expect(play.copies.map(({ key }) => key)).toEqual(Array(instances).fill('1.2'));
      },
    ),
    { numRuns: 500 },
  );
});

it('an update whose instances never get ready leaves the old ones alone for ever', () => {
  const how = rolling(percent(50), count(0));
  let copies = [copy('a'), copy('b'), copy('c')];
  for (let round = 0; round < 5; round += 1) {
    const { start, leave } = plan(wanted(3, how), copies);
    expect(leave).toEqual([]);
    copies = [
      ...copies,
      ...start.map((_, at) => copy(`n${round}${at}`, { key: '1.2', isReady: false })),
    ];
  }
  expect(copies.length).toBe(5);
});

it('going back makes the old instances the current ones again and ends the failed ones', () => {
  const copies = [copy('a'), copy('b'), copy('new', { key: '1.2', isReady: false })];
  const back = wanted(2, rolling(percent(2), count(0)), 1);
  expect(plan(back, copies)).toMatchObject({ start: [], leave: ['new'] });
});

it('old instances that are not ready make way at once, the others idle ones first', () => {
  const copies = [
    ...[copy('busy', { held: 3 }), copy('idle'), copy('broken', { isReady: false })],
    copy('new', { key: '1.2' }),
  ];
  const target = wanted(2, rolling(count(1), count(0)));
  expect(plan(target, copies).leave).toEqual(['broken', 'idle']);
});

describe('where the machine cannot hold old and new at once', () => {
  const target = wanted(3, rolling(percent(2), count(0)));
  const old = [copy('a', { held: 1 }), copy('b'), copy('c')];
  /** A machine on which a new one needs the room of so many old ones. */
  const needing =
    (some: number) =>
    (gone: readonly Copy[]): boolean =>
      gone.length >= some;

  it('as few old ones drain as make room for a new one, idle ones first', () => {
    expect(roomMakers(target, old, needing(1))).toEqual(['c']);
    expect(roomMakers(target, old, needing(2))).toEqual(['c', 'b']);
  });

  it('none drains while one is leaving already or a new one is getting ready', () => {
    const leaving = copy('gone', { isLeaving: true });
    expect(roomMakers(target, [...old, leaving], needing(1))).toEqual([]);
    const fresh = copy('new', { key: '1.2', isReady: false });
    expect(roomMakers(target, [...old, fresh], needing(1))).toEqual([]);
  });

  it('none drains when that would not help, and none outside an update', () => {
    expect(roomMakers(target, old, needing(9))).toEqual([]);
    const same = wanted(4, rolling(percent(2), count(0)), 1);
    expect(roomMakers(same, old, needing(1))).toEqual([]);
  });
});
