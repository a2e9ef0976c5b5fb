// A canceled request that a model works on: its call is aborted, the hook is called, and the slot
// is free when the model says so, when its instance has ended, or by the rule for abandoned calls.

import type { ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { CancelSettings } from '../../src/worker/settings.ts';
import {
  type Answer,
  type Model,
  startModel,
  startWorker,
  until,
  type WorkerWorld,
} from './worker-world.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World extends WorkerWorld {
  readonly model: Model;
  readonly ends: string[];
  /** Lets the grace be over. */
  readonly graceIsOver: () => void;
}

const graceMs = 7777;

async function world(cancel: Partial<CancelSettings>, hook: Answer, window = 1): Promise<World> {
  const graces: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, fire) => {
      if (delayMs !== graceMs) return systemClock.after(delayMs, fire);
      graces.push(fire);
      return { cancel: () => graces.splice(graces.indexOf(fire), 1) };
    },
  };
  const model = await startModel((request, response) => {
    if (request.url.startsWith('/stop')) hook(request, response);
  });
  closers.push(() => model.close());
  const ends: string[] = [];
  const settings = { path: '/stop', method: 'POST', graceMs, endsInstance: false, ...cancel };
  const made = startWorker({
    origin: model.origin,
    settings: { window, cancel: settings },
    clock,
    end: (reason) => ends.push(reason),
  });
  closers.push(() => made.close());
  const graceIsOver = (): void => {
    for (const fire of graces.splice(0)) fire();
  };
  return { ...made, model, ends, graceIsOver };
}

async function canceledOne({ source, model }: World, reason = 'canceled'): Promise<number> {
  source.put({ id: 'größe' });
  await until(() => model.open() > 0);
  const [deliveryId = 0] = source.leased;
  source.void(deliveryId, reason);
  return deliveryId;
}

const isHook = ({ url }: { readonly url: string }): boolean => url === '/stop';

it('calls the hook of a canceled request, and frees its slot when that answers', async () => {
  let answer: ServerResponse | undefined;
  const made = await world({}, (_request, response) => {
    answer = response;
  });
  const { source, model, worker } = made;
  const deliveryId = await canceledOne(made);
  await until(() => answer !== undefined);
  expect(model.seen.find(isHook)).toMatchObject({
    method: 'POST',
    headers: { 'x-request-id': 'gr%C3%B6%C3%9Fe', 'sluice-index': '1', 'sluice-attempt': '1' },
  });
  expect(worker.view().abandoned).toBe(1);
  expect(source.freedIds).toEqual([]);
  answer?.writeHead(202).end();
  await source.until(({ freedIds }) => freedIds.length === 1);
  expect(source.freedIds).toEqual([deliveryId]);
  expect(worker.view().abandoned).toBe(0);
});

it('does not take another answer for word that the model is free', async () => {
  const made = await world({}, (_request, response) => response.writeHead(404).end());
  await canceledOne(made);
  await until(() => made.model.seen.some(isHook));
  made.graceIsOver();
  expect(made.worker.view().abandoned).toBe(1);
  expect(made.source.freedIds).toEqual([]);
  expect(made.ends).toEqual([]);
  // The rule for abandoned calls still holds: a healthy check, long after.
  made.worker.checked(true, systemClock.now().mono + 60_000);
  expect(made.source.freedIds).toHaveLength(1);
});

it('ends the instance when the grace is over without a word; other work goes back', async () => {
  const made = await world({ endsInstance: true }, () => undefined, 2);
  const { source, worker, ends } = made;
  const canceled = await canceledOne(made);
  source.put({ id: 'other' });
  await source.until(({ leased }) => leased.length === 1);
  await until(() => made.model.open() === 2);
  expect(ends).toEqual([]);
  made.graceIsOver();
  await source.until(({ returns }) => returns.length === 1);
  expect(source.returns[0]).toMatchObject({ counted: false, code: 'Shutdown' });
  await until(() => ends.length > 0);
  expect(ends[0]).toBe('it did not let go of the canceled request 1 within 7.777 s');
  expect(source.freedIds).toEqual([]);
  await worker.died('the process ended');
  expect(source.freedIds).toContain(canceled);
  expect(source.closes).toEqual(['dead']);
});

it('calls no hook when a lease was only lost', async () => {
  const made = await world({}, (_request, response) => response.end());
  await canceledOne(made, 'idle');
  await until(() => made.worker.view().abandoned > 0);
  made.graceIsOver();
  expect(made.model.seen.some(isHook)).toBe(false);
});
