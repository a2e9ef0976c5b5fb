// A command's surroundings without a process: its streams, time that is moved, and what it wrote.

import { PassThrough } from 'node:stream';
import type { Context } from '../../src/cli/context.ts';
import { Output } from '../../src/cli/output.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

export interface CommandSurroundings {
  readonly context: Context;
  readonly clock: VirtualClock;
  readonly stdin: PassThrough;
  readonly interrupt: AbortController;
  /** What was written since the last look. */
  stdout(): string;
  stderr(): string;
}

/** `terminal`: whether a person looks on and types. */
export function openSurroundings({ terminal = false } = {}): CommandSurroundings {
  const stream = (): PassThrough => Object.assign(new PassThrough(), { isTTY: terminal });
  const streams = { stdin: stream(), stdout: stream(), stderr: stream() };
  const random = new SeededRandom(1);
  const clock = new VirtualClock(random);
  const interrupt = new AbortController();
  const context: Context = {
    terminal: streams,
    output: new Output(streams),
    environment: {},
    clock,
    random,
    interrupted: interrupt.signal,
  };
  return {
    context,
    clock,
    stdin: streams.stdin,
    interrupt,
    stdout: () => String(streams.stdout.read() ?? ''),
    stderr: () => String(streams.stderr.read() ?? ''),
  };
}
