// Random histories, written to the reference engine and to lmdb alike: after any of them, and
// after restarts anywhere in them, both bring back the same rows.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { queueFolder } from '../../src/engine/lmdb/folder.ts';
import { verify } from '../../src/engine/lmdb/verify.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { QueueName } from '../../src/queue/message.ts';
import type { Transition } from '../../src/queue/transition.ts';
import {
  bytes,
  deliver,
  group,
  metaOf,
  payloadOf,
  put,
  recordOf,
  recovered,
  remove,
  Writer,
} from './world.ts';

/** One thing that may happen; numbers choose among what exists at that moment. */
type Step =
  | { readonly kind: 'put'; readonly queue: 0 | 1; readonly size: number; readonly text: string }
  | { readonly kind: 'mark'; readonly pick: number; readonly group: number }
  | { readonly kind: 'remove'; readonly pick: number; readonly record: boolean }
  | { readonly kind: 'complete'; readonly pick: number; readonly how: number }
  | { readonly kind: 'dead'; readonly pick: number; readonly rear: boolean }
  | { readonly kind: 'group'; readonly queue: 0 | 1 }
  | { readonly kind: 'groupGone'; readonly pick: number }
  | { readonly kind: 'trim'; readonly back: number }
  | { readonly kind: 'record'; readonly pick: number; readonly text: string }
  | { readonly kind: 'checkpoint'; readonly pick: number; readonly size: number }
  | { readonly kind: 'outboxDone'; readonly pick: number };

type Completion = Extract<Transition, { kind: 'complete' }>;

type Batch = { readonly steps: readonly Step[]; readonly reopen: boolean };

const queue01 = fc.constantFrom<0 | 1>(0, 1);
const pick = fc.nat(1000);
const text = fc.string({ unit: 'binary', maxLength: 12 });
const size = fc.oneof(
  { weight: 20, arbitrary: fc.nat(3000) },
  { weight: 1, arbitrary: fc.constantFrom(262_143, 262_144, 300_000) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('put'), queue: queue01, size, text }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('mark'), pick, group: pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove'), pick, record: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('complete'), pick, how: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('dead'), pick, rear: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('group'), queue: queue01 }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('groupGone'), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('trim'), back: fc.nat(10) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('record'), pick, text }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('checkpoint'), pick, size }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('outboxDone'), pick }) },
);
const history = fc.array(
  fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 20 }),
    reopen: fc.nat(9).map((number) => number === 0),
  }),
  { minLength: 1, maxLength: 15 },
);

/** Turns steps into transitions that a service could really have had. */
class Service {
  readonly last = [0, 0, 0, 0];
  readonly live: { queue: QueueName; index: number; size: number }[] = [];
  readonly groups: { queue: QueueName; group: number }[] = [];
  readonly outbox: number[] = [];
  readonly #rested: number[] = [];
  #deliveries = 0;
  #groups = 0;

  transitions(steps: readonly Step[]): readonly Transition[] {
    return steps.flatMap((one) => this.#transition(one) ?? []);
  }

  #transition(one: Step): Transition | undefined {
    switch (one.kind) {
      case 'put': {
        const queue = one.queue === 0 ? 'input' : 'sink';
        const index = this.#next(one.queue, queue, one.size);
        const tags = new Map([[one.text, one.text]]);
        return put(queue, index, one.size, { tags, id: one.text });
      }
      case 'mark': {
        const message = choose(this.live, one.pick);
        const mine = this.groups.filter((group) => group.queue === message?.queue);
        const owner = choose(mine, one.group);
        if (message === undefined || owner === undefined) return undefined;
        this.#deliveries++;
        return deliver(message.queue, owner.group, message.index, this.#deliveries);
      }
      case 'remove': {
        const message = this.#take(one.pick, undefined);
        if (message === undefined) return undefined;
        const { queue, index } = message;
        if (queue === 'sink') return remove(queue, index, { source: index % 5 });
        const isClosed = one.record && queue === 'input';
        return remove(queue, index, isClosed ? this.#closing(index, one.pick % 2 === 0) : {});
      }
      case 'complete':
        return this.#complete(one.pick, one.how);
      case 'dead':
        return this.#dead(one.pick, one.rear);
      case 'group': {
        this.#groups++;
        const queue = one.queue === 0 ? 'input' : 'sink';
        this.groups.push({ queue, group: this.#groups });
        return group(queue, this.#groups);
      }
      case 'groupGone': {
        if (this.groups.length === 0) return undefined;
        const [gone] = this.groups.splice(one.pick % this.groups.length, 1);
        return gone && { kind: 'groupGone', ...gone };
      }
      case 'trim':
        return { kind: 'trimRecords', below: Math.max(0, (this.last[0] ?? 0) - one.back) };
      case 'record': {
        const index = choose(this.#rested, one.pick);
        if (index === undefined) return undefined;
        return { kind: 'record', record: recordOf(index, { after: one.text }) };
      }
      case 'checkpoint': {
        const among = this.live.filter(({ queue }) => queue === 'input');
        const index = choose(among, one.pick)?.index;
        if (index === undefined) return undefined;
        return { kind: 'checkpoint', index, data: payloadOf(one.pick, one.size) };
      }
      case 'outboxDone': {
        const index = choose(this.outbox, one.pick);
        return index === undefined ? undefined : { kind: 'outboxDone', index };
      }
    }
  }

  #complete(chosen: number, how: number): Transition | undefined {
    const message = this.#take(chosen, 'input');
    if (message === undefined) return undefined;
    const { index } = message;
    const result = how === 1 ? put('sink', this.#next(1, 'sink', 77), 77).message : undefined;
    const recordResult = how === 2 ? Buffer.alloc(message.size, 3) : undefined;
    return { kind: 'complete', index, result, recordResult, ...this.#closing(index, how === 0) };
  }

  #closing(index: number, isTold: boolean): Pick<Completion, 'record' | 'outbox'> {
    this.#rested.push(index);
    if (isTold) this.outbox.push(index);
    const outbox = isTold ? { index, terms: `callback ${index}` } : undefined;
    return { record: recordOf(index), outbox };
  }

  #dead(chosen: number, withRear: boolean): Transition | undefined {
    const message = this.#take(chosen, chosen % 2 === 0 ? 'input' : 'sink');
    if (message === undefined) return undefined;
    const { queue, index, size } = message;
    const toRear = (): number =>
      queue === 'input' ? this.#next(2, 'inputRear', size) : this.#next(3, 'sinkRear', size);
    const rear = withRear ? metaOf(toRear(), size) : undefined;
    return {
      kind: 'dead',
      queue: queue === 'sink' ? 'sink' : 'input',
      index,
      rear,
      notice: queue === 'input' ? put('sink', this.#next(1, 'sink', 0), 0).message : undefined,
      ...(queue === 'input'
        ? this.#closing(index, chosen % 3 === 0)
        : { record: undefined, outbox: undefined }),
    };
  }

  #next(number: number, queue: QueueName, size: number): number {
    const index = (this.last[number] ?? 0) + 1;
    this.last[number] = index;
    this.live.push({ queue, index, size });
    return index;
  }

  #take(chosen: number, queue: QueueName | undefined): (typeof this.live)[number] | undefined {
    const among = this.live.filter((message) => queue === undefined || message.queue === queue);
    const message = choose(among, chosen);
    if (message !== undefined) this.live.splice(this.live.indexOf(message), 1);
    return message;
  }
}

function choose<T>(among: readonly T[], number: number): T | undefined {
  return among[number % among.length];
}

async function sameRows(memory: MemoryEngine, lmdb: LmdbEngine, service: Service): Promise<void> {
  expect(await recovered(lmdb, 7)).toEqual(await recovered(memory, 7));
  const refs = service.live.map(({ queue, index }) => ({ service: 7, queue, index }));
  const payloads = async (engine: MemoryEngine | LmdbEngine): Promise<readonly boolean[]> =>
    (await engine.payloads(refs)).map((message, at) => {
      const { queue = 'input', index = 0 } = refs[at] ?? {};
      const rear = queue === 'inputRear' || queue === 'sinkRear';
      const size = service.live[at]?.size ?? 0;
      if (message === undefined || message.payload.length !== size) return false;
      // What was moved to a rear kept the bytes of the index that it had before.
      return (
        rear || bytes(message.payload).equals(put(queue, index, size).message.payload as Buffer)
      );
    });
  const all = refs.map(() => true);
  expect(await payloads(memory)).toEqual(all);
  expect(await payloads(lmdb)).toEqual(all);
  for (let index = 0; index <= (service.last[0] ?? 0); index++) {
    expect(await lmdb.departure(7, index)).toEqual(await memory.departure(7, index));
    const [mine, theirs] = [await lmdb.recordResult(7, index), await memory.recordResult(7, index)];
    expect(mine?.length).toBe(theirs?.length);
    const checkpoints = [lmdb, memory].map((engine) => engine.checkpoint(7, index));
    const [kept, meant] = await Promise.all(checkpoints);
    expect(kept && bytes(kept)).toEqual(meant && bytes(meant));
  }
}

async function play(batches: readonly Batch[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  const open = async (): Promise<LmdbEngine> => {
    const engine = new LmdbEngine({
      folder,
      clock: systemClock,
      log: silentLog,
      checkFirst: false,
    });
    await engine.start();
    return engine;
  };
  const memory = new MemoryEngine();
  const reference = new Writer(memory);
  let lmdb = await open();
  let writer = new Writer(lmdb);
  const service = new Service();
  try {
    const open_: Promise<unknown>[] = [];
    for (const { steps, reopen } of batches) {
      const transitions = service.transitions(steps);
      await reference.write(...transitions);
      open_.push(writer.write(...transitions));
      if (!reopen) continue;
      await Promise.all(open_.splice(0));
      await lmdb.stop();
      lmdb = await open();
      writer = new Writer(lmdb);
      await writer.recover();
      await reference.recover();
      await sameRows(memory, lmdb, service);
    }
    await Promise.all(open_);
    await sameRows(memory, lmdb, service);
    await writer.recover();
    await leavesNothing(writer, service);
    await lmdb.stop();
    expect(await rowsLeft(folder)).toEqual({ state: 1 });
  } finally {
    await lmdb.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Everything leaves. */
async function leavesNothing(writer: Writer, service: Service): Promise<void> {
  const messages = service.live.map(({ queue, index }) => remove(queue, index));
  const groups = service.groups.map((one) => ({ kind: 'groupGone', ...one }) as const);
  const callbacks = service.outbox.map((index) => ({ kind: 'outboxDone', index }) as const);
  const trim = { kind: 'trimRecords', below: 2 ** 40 } as const;
  await writer.write(...messages, ...groups, ...callbacks, trim);
}

/** What the table still holds, by kind; and it has to be sound. */
async function rowsLeft(folder: string): Promise<Readonly<Record<string, number>>> {
  const report = await verify(queueFolder(folder), () => undefined);
  expect(report.damages).toEqual([]);
  expect(report.payloadFiles).toBe(0);
  return report.rows;
}

describe('the lmdb engine', () => {
  it('brings back the same rows as the reference after any history', async () => {
    await fc.assert(fc.asyncProperty(history, play), { numRuns: 60 });
  });
});
