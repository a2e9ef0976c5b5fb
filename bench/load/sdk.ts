// Load over the stream protocol, made by the SDK as users have it. Submitter and worker are two
// clients with a connection each; the worker is a member of the group named like the service.

import { randomUUID } from 'node:crypto';
import { type Client, connect } from '@sluice/sdk';
import type { Answer, Job, Target } from './jobs.ts';
import { Stopwatch } from './stopwatch.ts';

type Of<Kind extends Job['kind']> = Extract<Job, { kind: Kind }>;

/** Runs before anything is counted, so that both ends are compiled and connected. */
const warmMs = 1000;
const workerWindow = 1024;
const tickMs = 1;
const retryMs = 10;
const patienceMs = 120_000;

/** Keeps `inFlight` puts under way for a while. */
export async function put({ target, inFlight, seconds }: Of<'put'>): Promise<Answer> {
  const client = await connect(target.url, target);
  const payload = new Uint8Array(target.payloadBytes);
  const watch = new Stopwatch();
  let isOver = false;
  const one = async (): Promise<void> => {
    while (!isOver) {
      const sentAt = performance.now();
      await client.input.put(payload);
      watch.record(performance.now() - sentAt);
    }
  };
  try {
    const all = Promise.all(Array.from({ length: inFlight }, one));
    await Promise.race([all, pause(warmMs)]);
    watch.start();
    await Promise.race([all, pause(seconds * 1000)]);
    const answer = watch.answer();
    isOver = true;
    await all;
    return answer;
  } finally {
    await client.close();
  }
}

/** Puts so many messages. */
export async function fill({ target, inFlight, count }: Of<'fill'>): Promise<Answer> {
  const client = await connect(target.url, target);
  const payload = new Uint8Array(target.payloadBytes);
  const watch = new Stopwatch();
  watch.start();
  let left = count;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await client.input.put(payload);
      watch.record(0);
    }
  };
  try {
    await Promise.all(Array.from({ length: inFlight }, one));
    return watch.answer();
  } finally {
    await client.close();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Removes every message of both queues. */
export async function empty({ target }: Of<'empty'>): Promise<Answer> {
  const watch = new Stopwatch();
  const client = await connect(target.url, target);
  try {
    await client.input.truncate(Number.MAX_SAFE_INTEGER);
    await client.sink.truncate(Number.MAX_SAFE_INTEGER);
    return watch.answer();
  } finally {
    await client.close();
  }
}

interface Underway {
  /** The worker has it. */
  delivered(): void;
  /** The submitter has its result. */
  done(): void;
}

interface Ring {
  submit(request: Underway): void;
  close(): Promise<void>;
}

/** A submitter with its results, and a worker that completes each delivery with a result. */
async function openRing(target: Target, fail: (error: unknown) => void): Promise<Ring> {
  const submitter = await connect(target.url, target);
  const worker = await connect(target.url, { ...target, gid: target.service });
  const payload = new Uint8Array(target.payloadBytes);
  const underway = new Map<string, Underway>();
  const results = submitter.sink.watch({ autoCommit: true });
  const work = worker.input.watch({ window: workerWindow });
  await Promise.all([results.ready(), work.ready()]);
  const receive = async (): Promise<void> => {
    for await (const { id } of results) {
      const request = underway.get(id);
      underway.delete(id);
      request?.done();
    }
  };
  const serve = async (): Promise<void> => {
    for await (const delivery of work) {
      underway.get(delivery.id)?.delivered();
      delivery.complete(payload).catch(fail);
    }
  };
  receive().catch(fail);
  serve().catch(fail);
  return {
    submit: (request) => {
      const id = randomUUID();
      underway.set(id, request);
      submitter.input.put(payload, { id }).catch(fail);
    },
    close: async () => {
      await work.stop();
      await worker.close();
      await submitter.close();
    },
  };
}

/** Keeps `inFlight` requests under way: the next is put when the result of one has come. */
export function cycles({ target, inFlight, seconds }: Of<'cycles'>): Promise<Answer> {
  return withRing(target, async (ring) => {
    const watch = new Stopwatch();
    let isOver = false;
    let open = 0;
    const one = (): void => {
      const sentAt = performance.now();
      open += 1;
      ring.submit({
        delivered: () => undefined,
        done: () => {
          open -= 1;
          watch.record(performance.now() - sentAt);
          if (!isOver) one();
        },
      });
    };
    for (let at = 0; at < inFlight; at++) one();
    await pause(warmMs);
    watch.start();
    await pause(seconds * 1000);
    const answer = watch.answer();
    isOver = true;
    while (open > 0) await pause(tickMs);
    return answer;
  });
}

/**
 * Requests at a fixed rate, in small groups that are due at whole milliseconds. The time of each
 * runs from the moment its group was due, also when this program or the server is late: nothing
 * that waits is left out of the figures.
 */
export function dispatch({ target, perSecond, seconds }: Of<'dispatch'>): Promise<Answer> {
  return withRing(target, async (ring) => {
    const watch = new Stopwatch();
    let submitted = 0;
    let open = 0;
    const submit = (dueAt: number): void => {
      submitted += 1;
      open += 1;
      ring.submit({
        delivered: () => watch.record(performance.now() - dueAt),
        done: () => {
          open -= 1;
        },
      });
    };
    const begun = performance.now();
    const end = begun + warmMs + seconds * 1000;
    let isWarm = false;
    for (let tick = 0; performance.now() < end; await pause(tickMs)) {
      const now = performance.now();
      if (!isWarm && now - begun >= warmMs) {
        isWarm = true;
        watch.start();
      }
      for (; begun + tick * tickMs <= now; tick++) {
        const dueBy = ((tick + 1) * tickMs * perSecond) / 1000;
        while (submitted < dueBy) submit(begun + tick * tickMs);
      }
    }
    while (open > 0) await pause(tickMs);
    return watch.answer();
  });
}

/** Fails as soon as anything that runs beside `run` fails. */
async function withRing(target: Target, run: (ring: Ring) => Promise<Answer>): Promise<Answer> {
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);
  const ring = await openRing(target, (error) => fail(error));
  try {
    return await Promise.race([failed, run(ring)]);
  } finally {
    await ring.close();
  }
}

/** Connects as soon as the server answers and waits for the first delivery of what waits. */
export async function firstDelivery({ target }: Of<'firstDelivery'>): Promise<Answer> {
  const watch = new Stopwatch();
  const client = await connectPatiently(target);
  try {
    const work = client.input.watch({ window: 1 });
    const first = await work.next();
    if (first === undefined) throw new Error('nothing was delivered');
    const answer = watch.answer();
    await work.close();
    return answer;
  } finally {
    await client.close();
  }
}

async function connectPatiently(target: Target): Promise<Client> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await connect(target.url, { ...target, gid: target.service });
    } catch (error) {
      if (performance.now() >= until) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}
