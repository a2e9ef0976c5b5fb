// The engine with injected faults: without faults it keeps the contract, with them it does what a
// bad disk and a killed process do, and nothing else.

import { describe, expect, it } from 'vitest';
import { type Fault, FaultyEngine } from '../../src/engine/faulty.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { engineConformance } from './suite.ts';
import { messages, put, Writer } from './world.ts';

engineConformance('faulty', async () => {
  let engine = new FaultyEngine({ inner: new MemoryEngine() });
  return {
    engine,
    reopen: async () => {
      engine = await engine.crash(0);
      return engine;
    },
    close: () => engine.stop(),
  };
});

/** The outcome if it is there by now. */
async function settled<T>(promise: Promise<T>): Promise<T | 'waiting'> {
  return Promise.race([
    promise,
    new Promise<'waiting'>((resolve) => setImmediate(resolve, 'waiting')),
  ]);
}

describe('faults', () => {
  const faults: Fault[] = [];
  const engine = (): FaultyEngine =>
    new FaultyEngine({ inner: new MemoryEngine(), fault: () => faults.shift() ?? 'none' });

  it.each([
    ['full', { kind: 'refused', why: 'full' }, []],
    ['unknownLost', { kind: 'unknown' }, []],
    ['unknownWritten', { kind: 'unknown' }, ['input 1']],
  ] as const)('%s answers as it says and leaves what it says', async (fault, outcome, left) => {
    faults.push(fault);
    const writer = new Writer(engine());
    expect(await writer.append(put('input', 1))).toEqual(outcome);
    expect(messages(await writer.recover())).toEqual(left);
  });

  it('writes nothing after an append that was refused, until recovery', async () => {
    faults.push('full');
    const writer = new Writer(engine());
    const first = writer.append(put('input', 1));
    const second = writer.append(put('input', 2));
    expect(await first).toEqual({ kind: 'refused', why: 'full' });
    expect(await second).toEqual({ kind: 'refused', why: 'fenced' });
    await writer.recover();
    await writer.write(put('input', 2));
  });
});

describe('a flush that waits', () => {
  it('answers when it is released, in order, and hides its rows until then', async () => {
    const counts: number[] = [];
    const onWaiting = (waiting: number): void => void counts.push(waiting);
    const engine = new FaultyEngine({ inner: new MemoryEngine(), onWaiting });
    const writer = new Writer(engine);
    const first = writer.append(put('input', 1));
    const second = writer.append(put('input', 2));
    expect(counts).toEqual([1, 2]);
    expect(await settled(first)).toBe('waiting');
    expect(await writer.payload('input', 1)).toBeUndefined();
    await engine.release(1);
    expect(await settled(first)).toEqual({ kind: 'durable' });
    expect(await settled(second)).toBe('waiting');
    await engine.release();
    expect(await settled(second)).toEqual({ kind: 'durable' });
  });

  it.each([0, 1, 2, 3])('keeps the first %i of three through a crash, unanswered', async (kept) => {
    const engine = new FaultyEngine({ inner: new MemoryEngine(), onWaiting: () => undefined });
    const writer = new Writer(engine);
    const appends = [1, 2, 3].map((index) => writer.append(put('input', index)));
    const next = new Writer(await engine.crash(kept));
    const there = [1, 2, 3].slice(0, kept).map((index) => `input ${index}`);
    expect(messages(await next.recover())).toEqual(there);
    for (const append of appends) expect(await settled(append)).toBe('waiting');
  });

  it('never answers the life that crashed', async () => {
    const engine = new FaultyEngine({ inner: new MemoryEngine() });
    const writer = new Writer(engine);
    await writer.write(put('input', 1));
    const next = new Writer(await engine.crash(0));
    expect(await settled(writer.append(put('input', 2)))).toBe('waiting');
    expect(await settled(writer.recover())).toBe('waiting');
    expect(await settled(engine.definitions())).toBe('waiting');
    expect(messages(await next.recover())).toEqual(['input 1']);
  });
});
