// Workers on other machines over the stream protocol: what they say of themselves, what they hear
// of the service, what they hold and free across lost connections.

import type { EndedCall, LastExit, WorkerReport } from '@sluice/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { JoinedWorkers } from '../../src/http/stream/joined.ts';
import type { ServiceEvent } from '../../src/kernel/events.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { everything, Receiver, until } from './stream-worker.ts';
import { report, StreamWorld, service, terms } from './stream-world.ts';

const lastExit: LastExit = {
  code: 3,
  signal: null,
  reason: 'ended with code 3',
  startedAt: '2023-11-14T22:13:20.000Z',
  endedAt: '2023-11-14T22:14:20.000Z',
  lines: ['no such weights'],
};

let world: StreamWorld;
afterEach(() => world?.close());

const put = (payload: string) => world.connect().then((client) => client.input.put(payload));
const slots = () =>
  world.queues.view('input').consumers.find(({ gid }) => gid === service)?.slots ?? -1;

describe('a worker over the stream protocol', () => {
  it('hears what the service wants, and stands in the list as it said', async () => {
    world = await StreamWorld.open();
    const worker = await world.work('one');
    const { resultBytesMax, ...heard } = await worker.report(report);
    expect(heard).toEqual(terms);
    expect(resultBytesMax).toBe(world.queues.payloadBytesMax('sink'));
    expect(world.joined.list(service, () => 2)).toEqual([
      {
        name: 'one',
        kind: 'joined',
        state: 'Running',
        message: '',
        address: 'http://127.0.0.1:9000',
        pid: 42,
        revision: 7,
        startedAt: '2023-11-14T22:13:20.000Z',
        restarts: 0,
        window: 3,
        busy: 2,
        ready: true,
        host: 'gpu-box',
        version: '1.2.3',
        lastExit: null,
      },
    ]);
    await worker.close();
    await until(() => !world.joined.has(service));
  });

  it('tells how its last run ended and what calls it made, each once', async () => {
    world = await StreamWorld.open();
    const worker = await world.work('one');
    const call = (durationMs: number): EndedCall => ({ outcome: 'succeeded', durationMs });
    const told = { ...report, lastExit, calls: [call(10), call(20)] };
    await worker.report(told);
    expect(world.joined.list(service, () => 0)).toMatchObject([{ lastExit }]);
    // Its answer was lost, and there is more by now.
    await worker.report({ ...told, calls: [call(10), call(20), call(30)] });
    await worker.report({ ...told, calls: [{ outcome: 'failed', durationMs: 5 }], callsBefore: 3 });
    expect(world.called).toEqual([
      ...[10, 20, 30].map((durationMs) => [service, call(durationMs)]),
      [service, { outcome: 'failed', durationMs: 5 }],
    ]);
  });

  it('hears that it is to be replaced until it says that it has done so', async () => {
    world = await StreamWorld.open();
    const worker = await world.work('one');
    expect(world.joined.replace(service, 'one', 'drain')).toBe(false);
    expect((await worker.report(report)).replace).toBeUndefined();
    expect(world.joined.replace(service, 'one', 'drain')).toBe(true);
    const first = (await worker.report(report)).replace;
    expect(first).toMatchObject({ how: 'drain' });
    expect((await worker.report(report)).replace).toEqual(first);
    world.joined.replace(service, 'one', 'now');
    // What it says to the order before does not stand for the later one.
    const second = (await worker.report({ ...report, replaced: first?.number ?? 0 })).replace;
    expect(second).toMatchObject({ how: 'now' });
    expect(second?.number).toBeGreaterThan(first?.number ?? 0);
    const done = await worker.report({ ...report, replaced: second?.number ?? 0 });
    expect(done.replace).toBeUndefined();
  });

  it('that was started anew has nothing to replace', async () => {
    world = await StreamWorld.open();
    const worker = await world.work('one');
    await worker.report(report);
    world.joined.replace(service, 'one', 'drain');
    expect((await worker.report({ ...report, pid: 43 })).replace).toBeUndefined();
  });

  it('is refused with a word about what is wrong', async () => {
    world = await StreamWorld.open();
    const worker = await world.work('one');
    const wrong = (more: Partial<WorkerReport>) =>
      worker.report({ ...report, ...more }).catch((error: unknown) => error);
    expect(await wrong({ state: 'in a bad way' })).toMatchObject({ code: 'bad_request' });
    expect(await wrong({ pid: -1 })).toMatchObject({ code: 'bad_request' });
    expect(world.joined.has(service)).toBe(false);
    await worker.report({ ...report, reason: `two\nlines${'x'.repeat(1000)}` });
    const [shown] = world.joined.list(service, () => 0);
    expect(shown?.message).toMatch(/^two linesx+$/);
    expect(shown?.message.length).toBe(512);
  });

  it('goes on with what it names, on the next connection', async () => {
    world = await StreamWorld.open();
    const worker = await world.work('one');
    const first = new Receiver();
    await worker.watch('input', everything, first);
    await put('a');
    await put('b');
    await until(() => first.delivered.length === 2);
    const [a, b] = first.delivered.map(({ deliveryId }) => deliveryId);
    world.cutAll();
    await until(() => first.ends.length === 1);
    const second = new Receiver();
    const watch = await worker.watch('input', { ...everything, holding: [a ?? 0] }, second);
    expect(watch.held).toEqual([a]);
    // What it did not name came back, and is delivered anew: it has room.
    await until(() => second.delivered.length === 1);
    expect(second.delivered[0]).toMatchObject({ index: 2, deliveries: 2 });
    const late = { deliveryId: b ?? 0, payload: undefined, contentType: undefined };
    const done = { outcome: 'succeeded', code: '', reason: '', firstOutputAt: 0 } as const;
    await expect(worker.complete({ ...late, ...done })).rejects.toMatchObject({
      code: 'stale_delivery',
    });
    await expect(worker.complete({ ...late, ...done, deliveryId: a ?? 0 })).resolves.toBe(0);
  });

  it('keeps the slot of what it gives back while the model may work on it', async () => {
    world = await StreamWorld.open();
    const worker = await world.work('one');
    const receiver = new Receiver();
    const watch = await worker.watch('input', { ...everything, window: 1 }, receiver);
    watch.pause();
    await put('a');
    watch.resume();
    await until(() => receiver.delivered.length === 1);
    const deliveryId = receiver.delivered[0]?.deliveryId ?? 0;
    const why = { counted: true, code: '', reason: '', delayMs: 0 };
    await worker.giveBack('input', { deliveryId, ...why, occupies: true });
    // A whole turn later it is still not given out again: its window is full.
    await put('b');
    expect(slots()).toBe(0);
    expect(receiver.delivered.length).toBe(1);
    worker.freed('input', deliveryId);
    await until(() => receiver.delivered.length === 2);
  });

  it('says again what it freed while there was no connection', async () => {
    world = await StreamWorld.open({ settings: { idleMs: 20 } });
    const worker = await world.work('one');
    const receiver = new Receiver();
    await worker.watch('input', { ...everything, window: 1 }, receiver);
    await put('a');
    await until(() => receiver.gone.length === 1);
    expect(slots()).toBe(0);
    world.isDown = true;
    world.cutAll();
    await until(() => receiver.ends.length === 1);
    worker.freed('input', receiver.gone[0] ?? 0);
    world.isDown = false;
    const again = new Receiver();
    await worker.watch('input', { ...everything, window: 1 }, again);
    await until(() => again.delivered.length === 1);
  });
});

describe('the list of joined workers', () => {
  const by = (uid: string, gid = service) => ({ gid, uid });
  const busyOf = () => 0;
  let now = 0;
  const told: ServiceEvent[] = [];
  const clock = {
    now: () => ({ wall: 1_700_000_000_000 + now, mono: now }),
    after: () => ({ cancel: () => undefined }),
    defer: () => undefined,
  };
  const record = (event: ServiceEvent) => void told.push(event);
  const open = () => new JoinedWorkers({ clock, log: silentLog, record });

  it('shows a lost worker as unhealthy for a minute, and tells each change once', () => {
    now = 0;
    told.length = 0;
    const joined = open();
    const [home, next] = [{}, {}];
    joined.report(service, by('one'), report, home);
    joined.report(service, by('one'), report, home);
    joined.lost(home);
    now = 59_999;
    expect(joined.list(service, busyOf)).toMatchObject([
      {
        state: 'Unhealthy',
        ready: false,
        message: expect.stringMatching(/lost since 2023-11-14T/),
      },
    ]);
    joined.report(service, by('one'), { ...report, state: 'Busy', reason: 'slow' }, next);
    joined.report(service, by('one'), { ...report, state: 'Starting' }, next);
    const crash = { ...report, state: 'CrashLoop', reason: 'ended with code 3' };
    for (const restarts of [4, 5, 6]) {
      joined.report(service, by('one'), { ...crash, restarts }, next);
      joined.report(service, by('one'), { ...report, state: 'Starting', restarts }, next);
    }
    joined.report(service, by('one'), { ...report, state: 'Busy', reason: 'slow' }, next);
    expect(joined.list(service, busyOf)).toMatchObject([{ state: 'Busy', ready: true }]);
    // The old connection has nothing to say about it any more.
    joined.lost(home);
    expect(joined.list(service, busyOf)).toMatchObject([{ state: 'Busy' }]);
    joined.lost(next);
    now = 120_000;
    expect(joined.list(service, busyOf)).toEqual([]);
    expect(told.map(({ what, text }) => `${what}: ${text}`)).toEqual([
      'joined: one joined from gpu-box, where its model listens at http://127.0.0.1:9000',
      'lost: one lost its connection; gpu-box may come back',
      'back: one is connected again',
      // Neither what comes and goes with the work, nor each end of many.
      'state: one is CrashLoop: ended with code 3',
      'lost: one lost its connection; gpu-box may come back',
    ]);
  });

  it('takes workers of the service’s own group only, and not without end', () => {
    const joined = open();
    expect(() => joined.report(service, by('one', 'others'), report, {})).toThrow(/of the group/);
    const home = {};
    for (let number = 0; number < 1000; number += 1) {
      joined.report(service, by(`worker-${number}`), report, home);
    }
    expect(() => joined.report(service, by('one'), report, home)).toThrow(/1000 workers/);
    joined.left(home);
    expect(joined.has(service)).toBe(false);
    joined.report(service, by('one'), report, home);
    joined.deleted(service);
    expect(joined.list(service, busyOf)).toEqual([]);
  });
});
