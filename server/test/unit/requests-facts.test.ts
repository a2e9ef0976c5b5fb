// The facts of waiting, as they are gathered from the queues and instances of a service.

import { describe, expect, it } from 'vitest';
import type { ConsumerView, QueueView } from '../../src/queue/view.ts';
import { WaitObserver } from '../../src/requests/estimate/observer.ts';
import {
  gatherService,
  gatherWait,
  type InstanceSight,
  type ServiceSight,
} from '../../src/requests/facts.ts';
import type { ServerFacts } from '../../src/requests/wait-facts.ts';
import { now } from './requests-world.ts';

const time = { wall: now, mono: 1000 };

function queue(different: Partial<QueueView> = {}): QueueView {
  return {
    name: 'input',
    ended: false,
    payloadBytesMax: 8192,
    capacity: 100,
    length: 0,
    waiting: 0,
    backingOff: 0,
    leased: 0,
    reserved: 0,
    firstIndex: 0,
    lastIndex: 0,
    consumers: [],
    groups: [],
    suspects: [],
    leftBehind: new Map(),
    ...different,
  };
}

function consumer(different: Partial<ConsumerView> = {}): ConsumerView {
  return {
    gid: 'faces',
    uid: 'a',
    index: 0,
    pending: 0,
    status: 'Running',
    idleMs: 0,
    window: 4,
    slots: 1,
    autoCommit: false,
    tags: new Map(),
    suspect: 0,
    ...different,
  };
}

const feed = {
  running: [{ startedAt: now - 500 }],
  abandoned: 1,
  holds: [] as readonly string[],
  refusedUntil: 0,
  isWatching: true,
  lost: undefined,
};

function instance(different: Partial<InstanceSight> = {}): InstanceSight {
  return {
    name: 'faces-1',
    state: 'Running',
    reason: '',
    startedAt: now - 60_000,
    readyAt: now - 50_000,
    nextStartAt: 0,
    window: 4,
    feed,
    ...different,
  };
}

function gathered(different: Partial<ServiceSight>, observer = new WaitObserver()) {
  const sight: ServiceSight = {
    service: 'faces',
    input: queue(),
    sink: queue({ name: 'sink', length: 3, reserved: 2 }),
    sinkEvicts: false,
    resultsFull: false,
    paused: '',
    instances: [],
    mayStart: 0,
    window: 4,
    ...different,
  };
  return gatherService(sight, observer, time);
}

function serverOf(different: Partial<InstanceSight>): ServerFacts | undefined {
  return gathered({ instances: [instance(different)] }).servers[0];
}

describe('an instance', () => {
  const ready = { state: 'ready', window: 4, busy: 2, runningMs: [500], isChoosy: false };

  it('at work takes as many as it has slots, abandoned calls counted', () => {
    expect(serverOf({})).toEqual(ready);
  });

  it('that has no slot for now is full', () => {
    expect(serverOf({ state: 'Busy' })).toEqual({ ...ready, busy: 4 });
    expect(serverOf({ feed: { ...feed, holds: ['full'] } })).toEqual({ ...ready, busy: 4 });
    const input = queue({ consumers: [consumer({ uid: 'faces-1', suspect: 7, slots: 0 })] });
    expect(gathered({ input, instances: [instance()] }).servers).toEqual([{ ...ready, busy: 4 }]);
  });

  it('that starts is told with how long it has been starting', () => {
    const starting = { state: 'starting', window: 4, forMs: 60_000 };
    expect(serverOf({ state: 'Starting' })).toEqual(starting);
    expect(serverOf({ state: 'Pulling', startedAt: 0 })).toEqual({ ...starting, forMs: 0 });
    expect(serverOf({ feed: { ...feed, isWatching: false } })).toEqual(starting);
    expect(serverOf({ feed: undefined })).toEqual(starting);
  });

  it('that refuses, waits or is not well is told with what it says', () => {
    const refused = { ...feed, holds: ['refused'], refusedUntil: now + 1000 };
    expect(serverOf({ feed: refused })).toEqual({
      state: 'refusing',
      window: 4,
      until: now + 1000,
    });
    expect(serverOf({ state: 'Pending', reason: 'no room' })).toEqual({
      state: 'pending',
      reason: 'no room',
    });
    const crashed = { state: 'CrashLoop', reason: 'ended', nextStartAt: now + 9 } as const;
    expect(serverOf(crashed)).toEqual({ state: 'unhealthy', reason: 'ended', until: now + 9 });
    const lost = { ...feed, lost: 'replaced' };
    expect(serverOf({ feed: lost, reason: 'replaced' })?.state).toBe('unhealthy');
  });

  it('on its way out counts for nothing', () => {
    expect(serverOf({ state: 'Draining' })).toBeUndefined();
    expect(serverOf({ state: 'Terminated' })).toBeUndefined();
    expect(serverOf({ feed: { ...feed, holds: ['leaving'] } })).toBeUndefined();
  });
});

describe('consumers that are no instances here', () => {
  const facts = (different: Partial<ConsumerView>) =>
    gathered({ input: queue({ consumers: [consumer(different)] }) }).servers;

  it('serve with their windows', () => {
    const ready = { state: 'ready', window: 4, busy: 3, runningMs: [], isChoosy: false };
    expect(facts({})).toEqual([ready]);
    expect(facts({ tags: new Map([['size', 'xl']]) })).toEqual([{ ...ready, isChoosy: true }]);
  });

  it('take any number when they commit on their own', () => {
    expect(facts({ autoCommit: true, slots: 9 })).toMatchObject([{ window: Infinity, busy: 0 }]);
  });

  it('count in the working group only, while they are there', () => {
    expect(facts({ gid: 'other' })).toEqual([]);
    expect(facts({ status: 'Leaving' })).toEqual([]);
  });

  it('are not counted twice when they are instances', () => {
    const input = queue({ consumers: [consumer({ uid: 'faces-1' })] });
    expect(gathered({ input, instances: [instance()] }).servers).toHaveLength(1);
  });
});

describe('one request', () => {
  const request = {
    index: 7,
    ahead: 2,
    backingOffBefore: 0,
    home: 'sink',
    priority: 0,
    delayUntil: 0,
    backoffUntil: 0,
  } as const;

  it('comes with what is observed of its service', () => {
    const observer = new WaitObserver();
    for (let call = 0; call < 10; call += 1) observer.served(2000, call * 10);
    const taken = { isTakenOver: true, name: 'faces-2' };
    const instances = [instance(), instance(taken)];
    const service = gathered({ instances, mayStart: 3 }, observer);
    const facts = gatherWait(service, request, observer);
    expect(facts).toMatchObject({ now, mayStart: 3, window: 4 });
    expect(facts.queue).toMatchObject({ sinkLength: 3, sinkReserved: 2, sinkCapacity: 100 });
    expect(facts.request).toMatchObject({ ahead: 2, isSuspect: false });
    expect(facts.observed.serviceTimes.count).toBe(10);
    // The start of one that an earlier server made says nothing.
    expect(facts.observed.startUpsMs).toEqual([10_000]);
  });

  it('is a suspect while it waits for an empty instance', () => {
    const suspects = [
      { gid: 'faces', index: 7, uid: '', isHeld: false },
      { gid: 'faces', index: 8, uid: 'faces-1', isHeld: true },
    ];
    const observer = new WaitObserver();
    const service = gathered({ input: queue({ suspects }) }, observer);
    expect(gatherWait(service, request, observer).request.isSuspect).toBe(true);
    const other = { ...request, index: 8 };
    expect(gatherWait(service, other, observer).request.isSuspect).toBe(false);
  });
});
