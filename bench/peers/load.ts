// The load program of one peer: submitter and consumers in one process, as in the load program of
// Sluice's own figures. Its argument is the address; then it does one job after another.

import { Stopwatch } from '../load/stopwatch.ts';
import { type Adapter, type Body, pause, type Work } from './adapter.ts';
import { dueAtOf, makeBodies } from './body.ts';
import type { PeerAnswer, PeerJob, PeerReply } from './load-jobs.ts';
import { type Address, openAdapter } from './open.ts';

type Of<Kind extends PeerJob['kind']> = Extract<PeerJob, { kind: Kind }>;

/** Both ends are connected and running this long before anything is counted: a server that had
 * nothing to do for a minute is slower at first. */
const warmMs = 1000;
const tickMs = 1;
const fillSize = 500;
const fillsUnderWay = 4;
/** What is under way at the end of a round is waited for no longer than this. */
const settleMsMax = 30_000;

async function run(adapter: Adapter, job: PeerJob): Promise<PeerAnswer> {
  switch (job.kind) {
    case 'put':
      return put(adapter, job);
    case 'cycle':
      return cycle(adapter, job);
    case 'open':
      return open(adapter, job);
    case 'fill':
      return fill(adapter, job);
    case 'first':
      return first(adapter);
    case 'empty':
      return empty(adapter);
  }
}

async function put(adapter: Adapter, job: Of<'put'>): Promise<PeerAnswer> {
  const make = makeBodies(adapter.form, job.payloadBytes);
  const watch = new Stopwatch();
  let isOver = false;
  const one = async (): Promise<void> => {
    while (!isOver) {
      const sentAt = performance.now();
      await adapter.put(make(sentAt));
      watch.record(performance.now() - sentAt);
    }
  };
  const all = Promise.all(Array.from({ length: job.inFlight }, one));
  await Promise.race([all, pause(warmMs)]);
  watch.start();
  await Promise.race([all, pause(job.seconds * 1000)]);
  const main = watch.answer();
  isOver = true;
  await all;
  return { main, submit: undefined };
}

async function cycle(adapter: Adapter, job: Of<'cycle'>): Promise<PeerAnswer> {
  const make = makeBodies(adapter.form, job.payloadBytes);
  const watch = new Stopwatch();
  const { failed, rejected } = failure();
  let isOver = false;
  let underWay = 0;
  let puts = 0;
  let acknowledged = 0;
  /** Completions whose put is still to come: of a backlog they may be faster than puts. */
  let owed = 0;
  const one = (): void => {
    underWay += 1;
    puts += 1;
    adapter
      .put(make(performance.now()))
      .then(() => {
        puts -= 1;
        acknowledged += 1;
        if (owed === 0 || isOver) return;
        owed -= 1;
        one();
      })
      .catch(failed);
  };
  const { consumers, results } = job;
  const done = (body: Body): void => {
    underWay -= 1;
    watch.record(performance.now() - dueAtOf(body));
    if (isOver) return;
    if (puts < job.inFlight) one();
    else owed += 1;
  };
  const options = { consumers, results, delivered: () => undefined, done, failed };
  return working(await adapter.work(options), rejected, async () => {
    for (let at = 0; at < job.inFlight; at++) one();
    await pause(warmMs);
    watch.start();
    acknowledged = 0;
    await pause(job.seconds * 1000);
    const found = watch.answer();
    isOver = true;
    // What goes in and out: a backlog that only shrinks is not what is measured.
    const main = { ...found, done: Math.min(found.done, acknowledged) };
    // Of a backlog only the last ones are ours: what is under way is a number, not an identity.
    await settled(() => underWay <= 0);
    return { main, submit: undefined };
  });
}

/**
 * Messages at a fixed rate, in small groups that are due at whole milliseconds. Every time runs
 * from the moment its message was due, also when this program or the peer is late: nothing that
 * waits is left out of the figures.
 */
async function open(adapter: Adapter, job: Of<'open'>): Promise<PeerAnswer> {
  const make = makeBodies(adapter.form, job.payloadBytes);
  const dispatch = new Stopwatch();
  const submit = new Stopwatch();
  const { failed, rejected } = failure();
  let underWay = 0;
  let submitted = 0;
  const one = (dueAt: number): void => {
    submitted += 1;
    underWay += 1;
    adapter
      .put(make(dueAt))
      .then(() => submit.record(performance.now() - dueAt))
      .catch(failed);
  };
  const delivered = (body: Body): void => dispatch.record(performance.now() - dueAtOf(body));
  const done = (): void => {
    underWay -= 1;
  };
  const options = { consumers: 1, results: false, delivered, done, failed };
  return working(await adapter.work(options), rejected, async () => {
    const begun = performance.now();
    const end = begun + warmMs + job.seconds * 1000;
    let isWarm = false;
    for (let tick = 0; performance.now() < end; await pause(tickMs)) {
      const now = performance.now();
      if (!isWarm && now - begun >= warmMs) {
        isWarm = true;
        dispatch.start();
        submit.start();
      }
      for (; begun + tick * tickMs <= now; tick++) {
        const dueBy = ((tick + 1) * tickMs * job.perSecond) / 1000;
        while (submitted < dueBy) one(begun + tick * tickMs);
      }
    }
    await settled(() => underWay <= 0);
    return { main: dispatch.answer(), submit: submit.answer() };
  });
}

async function fill(adapter: Adapter, job: Of<'fill'>): Promise<PeerAnswer> {
  const make = makeBodies(adapter.form, job.payloadBytes);
  const watch = new Stopwatch();
  watch.start();
  let left = job.count;
  const until = performance.now() + job.secondsMax * 1000;
  const one = async (): Promise<void> => {
    while (left > 0 && performance.now() < until) {
      const count = Math.min(left, fillSize);
      left -= count;
      const begun = performance.now();
      await adapter.fill(Array.from({ length: count }, () => make(begun)));
      for (let at = 0; at < count; at++) watch.record(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: fillsUnderWay }, one));
  return { main: watch.answer(), submit: undefined };
}

async function first(adapter: Adapter): Promise<PeerAnswer> {
  const watch = new Stopwatch();
  const { failed, rejected } = failure();
  let found: () => void = () => undefined;
  const isHere = new Promise<void>((resolve) => {
    found = resolve;
  });
  const delivered = (): void => found();
  const options = { consumers: 1, results: false, delivered, done: () => undefined, failed };
  const work = await adapter.work(options);
  return working(work, rejected, async () => {
    await isHere;
    return { main: watch.answer(), submit: undefined };
  });
}

async function empty(adapter: Adapter): Promise<PeerAnswer> {
  const watch = new Stopwatch();
  await adapter.empty();
  return { main: watch.answer(), submit: undefined };
}

/** Ends the work in the end, and `go` as soon as anything beside it fails. */
async function working<Result>(
  work: Work,
  rejected: Promise<never>,
  go: () => Promise<Result>,
): Promise<Result> {
  try {
    return await Promise.race([rejected, go()]);
  } finally {
    await work.stop();
  }
}

interface Failure {
  failed(error: unknown): void;
  readonly rejected: Promise<never>;
}

function failure(): Failure {
  let failed: (error: unknown) => void = () => undefined;
  const rejected = new Promise<never>((_, reject) => {
    failed = reject;
  });
  rejected.catch(() => undefined);
  return { failed, rejected };
}

async function settled(isDone: () => boolean): Promise<void> {
  const until = performance.now() + settleMsMax;
  while (!isDone() && performance.now() < until) await pause(tickMs);
}

const send = (reply: PeerReply): void => void process.send?.(reply);
const failed = (error: unknown): void =>
  send({ error: error instanceof Error ? `${error.stack}` : String(error) });

async function main(): Promise<void> {
  // Written by bench/peers/peer-loader.ts.
  const address = JSON.parse(process.argv[2] ?? '') as Address;
  const adapter = await openAdapter(address);
  process.on('message', (job: PeerJob) => {
    run(adapter, job).then((answer) => send({ answer }), failed);
  });
  process.send?.('ready');
}

process.on('disconnect', () => process.exit(0));
main().catch((error: unknown) => {
  failed(error);
});
