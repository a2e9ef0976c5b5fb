// Property tests of the rules: random commands on the broker and on a plain model of the rules,
// which must agree after each of them on everything that can be seen.

import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { anyCommand, type Command } from './queue-commands.ts';
import { play } from './queue-play.ts';
import { Session, type Slot } from './queue-session.ts';
import { type SettingsChange, serviceName, settingsOf } from './queue-world.ts';

const readers: Slot[] = [
  slot('r0', { queue: 'sink', gid: 'eas', kind: 'eas', window: 1 }),
  slot('r1', { queue: 'sink', gid: 'eas', kind: 'stream', window: 2 }),
];

const workedSlots: Slot[] = [
  slot('w0', { gid: serviceName, kind: 'worker', window: 2 }),
  slot('w1', { gid: serviceName, kind: 'eas', window: 1 }),
  slot('w2', { gid: serviceName, kind: 'stream', window: 2 }),
  slot('c0', { gid: 'copies', kind: 'eas', window: 1, tag: 'a' }),
  ...readers,
];

const sharedSlots: Slot[] = [
  slot('a0', { gid: 'a', kind: 'eas', window: 2 }),
  slot('a1', { gid: 'a', kind: 'stream', window: 1 }),
  slot('a2', { gid: 'a', kind: 'worker', window: 1 }),
  slot('b0', { gid: 'b', kind: 'eas', window: 1, tag: 'a' }),
  slot('b1', { gid: 'b', kind: 'eas', window: 1, autoCommit: true }),
  ...readers,
];

function slot(key: string, change: Partial<Slot>): Slot {
  return {
    key,
    queue: 'input',
    gid: 'eas',
    kind: 'eas',
    window: 1,
    tag: '',
    autoCommit: false,
    ...change,
  };
}

// Deadlines never fall on a multiple of the 20 s by which time moves, so that each has either
// clearly passed or clearly not when both sides are compared.
const anySettings = fc.record({
  source: fc.record({
    capacity: fc.integer({ min: 1, max: 6 }),
    autoEvict: fc.boolean(),
    expireMs: fc.constantFrom(0, 0, 25_000, 65_000),
  }),
  sink: fc.record({
    capacity: fc.integer({ min: 1, max: 4 }),
    autoEvict: fc.nat({ max: 3 }).map((drawn) => drawn === 0),
  }),
  deliveryMax: fc.integer({ min: 0, max: 3 }),
  idleMs: fc.constantFrom(0, 33_000),
  deadPolicy: fc.constantFrom('Rear' as const, 'Drop' as const),
  deadNotice: fc.boolean(),
});

async function agree(
  change: SettingsChange,
  slots: readonly Slot[],
  commands: readonly Command[],
): Promise<void> {
  const session = new Session(settingsOf(change), slots, 7);
  await session.world.open();
  for (const command of commands) {
    await play(session, command);
    session.judgeEvents();
    await session.compare();
  }
  await session.compareRecords();
  await session.world.close();
}

const runs = Number(process.env.PROPERTY_RUNS ?? 100);
const always = { groupRetentionMs: 24 * 3_600_000, recordRetentionMs: 24 * 3_600_000 };

// The clock of a run may move by 25 steps of 20 s: less than the ten minutes of rule 15.
const anyCommands = fc
  .array(anyCommand, { minLength: 1, maxLength: 60, size: 'max' })
  .filter((commands) => commands.filter((command) => command.do === 'advance').length <= 25);

describe('the broker and the plain model agree', () => {
  it('where a working group completes', async () => {
    await fc.assert(
      fc.asyncProperty(anySettings, anyCommands, (settings, commands) =>
        agree({ ...settings, ...always, declaresInstances: true }, workedSlots, commands),
      ),
      { numRuns: runs, endOnFailure: false },
    );
  });

  it('where all groups are equal', async () => {
    await fc.assert(
      fc.asyncProperty(anySettings, anyCommands, (settings, commands) =>
        agree({ ...settings, ...always, deliveryMax: 0 }, sharedSlots, commands),
      ),
      { numRuns: runs, endOnFailure: false },
    );
  });
});
