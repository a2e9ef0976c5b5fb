// What waits in memory has bounds: commands and bytes in front of the disk, and the places from
// which consumers began.

import { expect, it } from 'vitest';
import { inboxMax } from '../../src/broker/machine.ts';
import { putBytesMax } from '../../src/broker/service-queues.ts';
import type { AppendOutcome, Batch } from '../../src/engine/engine.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import {
  type AttachCommand,
  allResolvedMax,
  decideAttach,
  resolvedMax,
} from '../../src/queue/decide-consumer.ts';
import { defaultSettings } from '../../src/queue/settings.ts';
import { createGroup, createState } from '../../src/queue/state.ts';
import { putRequest } from './queue-requests.ts';
import { inWorld, inWorldOn, refused } from './queue-world.ts';

/** The disk takes its time until it is let go. */
class HeldEngine extends MemoryEngine {
  #held: (() => void)[] | undefined = undefined;

  hold(): void {
    this.#held = [];
  }

  letGo(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const go of held) go();
  }

  override async append(batch: Batch): Promise<AppendOutcome> {
    const held = this.#held;
    if (held !== undefined) await new Promise<void>((go) => held.push(go));
    return super.append(batch);
  }
}

const mebibyte = 2 ** 20;

it('takes puts up to the bytes that may wait for the disk, and again when it is done', async () => {
  const engine = new HeldEngine();
  const payloadMax = 16 * mebibyte;
  const large = { payloadBytesMax: payloadMax };
  await inWorldOn(engine, { source: large }, async (world) => {
    // One buffer for all of them: only their sizes count here.
    const payload = new Uint8Array(payloadMax);
    const put = (bytes: Uint8Array = payload) =>
      world.queues.put('input', { ...putRequest(''), payload: bytes });
    engine.hold();
    const taken = Array.from({ length: putBytesMax / payloadMax }, () => put());
    await world.settle();
    expect(() => put(new Uint8Array(1))).toThrow(`${putBytesMax} bytes put to scan wait`);
    expect(() => put(new Uint8Array(0))).not.toThrow();
    engine.letGo();
    await world.run(Promise.all(taken));
    await expect(world.run(put(new Uint8Array(1)))).resolves.toMatchObject({ index: 34 });
  });
});

it('takes puts up to the commands that may wait for a turn', async () => {
  await inWorld({}, async (world) => {
    const put = () => world.queues.put('input', putRequest('x'));
    // Nothing runs between these: all of them wait.
    const taken = Array.from({ length: inboxMax }, put);
    await refused('rate_limited', put());
    await world.run(Promise.all(taken));
    await expect(world.run(put())).resolves.toMatchObject({ index: inboxMax + 1 });
  });
});

it.each([
  ['of its group', resolvedMax, 0],
  ['of all groups', 1, allResolvedMax - 1],
])('remembers where consumers began up to the places %s', (_, own, others) => {
  const state = createState('scan', defaultSettings, { low: 1, high: 2 });
  const { input } = state.queues;
  const fill = (gid: string, number: number, places: number): void => {
    const group = createGroup(number, gid, 0, 0);
    for (let at = 0; at < places; at++) group.resolved.set(`${gid} ${at}`, 1);
    input.groups.set(gid, group);
  };
  const keeps = (): boolean =>
    decideAttach(state, attachOf('a', 'new'), { wall: 0, mono: 0 }).changes.some(
      (change) => change.kind === 'group' && change.resolved.size > 0,
    );
  fill('a', 1, own - 1);
  for (let at = 0; at * resolvedMax < others; at++) {
    fill(`b${at}`, at + 2, Math.min(resolvedMax, others - at * resolvedMax));
  }
  expect(keeps()).toBe(true);
  fill('a', 1, own);
  expect(keeps()).toBe(false);
});

function attachOf(gid: string, uid: string): AttachCommand {
  return {
    kind: 'attach',
    queue: 'input',
    gid,
    uid,
    consumerKind: 'stream',
    window: 1,
    from: -1,
    indexOnly: false,
    autoCommit: false,
    tags: new Map(),
    id: undefined,
    holding: [],
  };
}
