// How fast the lmdb engine is by itself: full cycles (put and delivered, completed with a result
// of 1 KB, result removed) at several sizes of a turn, two appends in flight as the broker has
// them; and what the layout of message rows costs: one row against two. Every figure is durable.
//
//   node --conditions=source --import tsx bench/engine.ts [--folder DIR] [--seconds N]

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LmdbEngine } from '../server/src/engine/lmdb/engine.ts';
import { systemClock } from '../server/src/kernel/clock.ts';
import { terminalLog } from '../server/src/kernel/log.ts';
import type { MessageMeta } from '../server/src/queue/message.ts';
import type { Transition } from '../server/src/queue/transition.ts';
import { compareLayouts } from './engine-layouts.ts';

const service = 1;
const payload = Buffer.alloc(1024, 'x');
const uids = ['instance-0', 'instance-1'];

function meta(index: number, source: number): MessageMeta {
  return {
    index,
    id: `0f8fad5b-d9cb-469f-a165-${String(source || index).padStart(12, '0')}`,
    callerId: false,
    tags: new Map(),
    priority: 0,
    size: payload.length,
    bodyHash: 123_456_789,
    acceptedAt: 1_700_000_000_000,
    expiresAt: 0,
    home: 'sink',
    path: undefined,
    contentType: 'application/json',
    owner: undefined,
    idempotencyKey: undefined,
    terms: undefined,
    source,
  };
}

function putAndDeliver(index: number): readonly Transition[] {
  const at = 1_700_000_000_000;
  return [
    { kind: 'put', queue: 'input', message: { meta: meta(index, 0), payload } },
    {
      kind: 'deliver',
      queue: 'input',
      group: 1,
      index,
      mark: {
        state: 'leased',
        deliveryId: 2 ** 32 + index,
        uid: uids[index % 2] ?? '',
        revision: 1,
        firstDeliveredAt: at,
        deliveredAt: at,
        deliveries: 1,
        bad: 0,
        deaths: 0,
        notBefore: 0,
        resumable: true,
        place: true,
        placeIndex: 0,
        outcomes: [],
      },
    },
  ];
}

function complete(index: number): Transition {
  const { id, bodyHash, callerId } = meta(index, 0);
  return {
    kind: 'complete',
    index,
    result: { meta: meta(index, index), payload },
    recordResult: undefined,
    outbox: undefined,
    record: {
      index,
      id,
      callerId,
      bodyHash,
      owner: undefined,
      idempotencyKey: undefined,
      state: 'succeeded',
      cause: 'completed',
      acceptedAt: 1_700_000_000_000,
      firstDeliveredAt: 1_700_000_000_000,
      lastDeliveredAt: 1_700_000_000_000,
      firstOutputAt: 1_700_000_000_000,
      doneAt: 1_700_000_000_000,
      deliveries: 1,
      outcomes: [],
      uid: uids[index % 2] ?? '',
      revision: 1,
      sizeIn: payload.length,
      sizeOut: payload.length,
      priority: 0,
      tags: new Map(),
      home: 'sink',
      path: undefined,
      terms: undefined,
      source: 0,
      contentType: undefined,
      resultIndex: index,
      code: '200',
      reason: '',
      retainUntil: 0,
      after: undefined,
    },
  };
}

function leave(index: number): Transition {
  return {
    kind: 'remove',
    queue: 'sink',
    index,
    cause: 'committed',
    at: 1_700_000_000_000,
    source: index,
    record: undefined,
    outbox: undefined,
  };
}

/** Each turn puts `size` messages, completes those of the turn before, removes their results. */
function turn(number: number, size: number): readonly Transition[] {
  const transitions: Transition[] = [];
  const first = number * size + 1;
  for (let at = 0; at < size; at++) transitions.push(...putAndDeliver(first + at));
  if (number > 0) for (let at = 0; at < size; at++) transitions.push(complete(first - size + at));
  if (number > 1) for (let at = 0; at < size; at++) transitions.push(leave(first - 2 * size + at));
  // Records of the last 100,000 requests stay.
  const below = first - 100_000;
  if (below > 0) transitions.push({ kind: 'trimRecords', below });
  return transitions;
}

async function cycles(engine: LmdbEngine, size: number, seconds: number): Promise<string> {
  const number = service + size;
  const latencies: number[] = [];
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const group = { kind: 'group', queue: 'input', group: 1, gid: 'g', from: 0, usedAt: 0 } as const;
  let turns = 0;
  let sequence = 0;
  const append = async (transitions: readonly Transition[]): Promise<void> => {
    sequence++;
    const lastIndexes = [turns * size, turns * size, 0, 0] as const;
    const ended = [false, false, false, false] as const;
    const state = { epoch: 1, lastIndexes, ended, lastGroup: 1 };
    const sent = performance.now();
    const batch = { service: number, epoch: 1, sequence, state, transitions };
    const outcome = await engine.append(batch);
    if (outcome.kind !== 'durable') throw new Error(`append: ${outcome.kind}`);
    latencies.push(performance.now() - sent);
  };
  const one = async (): Promise<void> => {
    while (performance.now() - begun < seconds * 1000) await append(turn(turns++, size));
  };
  await append([{ ...group, resolved: new Map() }]);
  await Promise.all([one(), one()]);
  const spent = (performance.now() - begun) / 1000;
  const done = turns * size;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): string =>
    (latencies[Math.floor(latencies.length * q)] ?? 0).toFixed(2);
  const busy = performance.eventLoopUtilization(loop).utilization;
  return [
    String(size).padStart(5),
    (done / spent).toFixed(0).padStart(9),
    quantile(0.5).padStart(8),
    quantile(0.99).padStart(8),
    ((used.user + used.system) / done).toFixed(1).padStart(12),
    ((busy * spent * 1e6) / done).toFixed(1).padStart(12),
  ].join(' ');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { folder: { type: 'string' }, seconds: { type: 'string', default: '5' } },
  });
  const folder = values.folder ?? (await mkdtemp(join(tmpdir(), 'sluice-bench-')));
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(' turn  cycles/s   p50 ms   p99 ms  cpu us/cycle  loop us/cycle');
  for (const size of [1, 8, 16, 64, 256]) {
    const engine = new LmdbEngine({
      folder: join(folder, `turn-${size}`),
      clock: systemClock,
      log: terminalLog('warn'),
    });
    await engine.start();
    say(await cycles(engine, size, Number(values.seconds)));
    await engine.stop();
  }
  for (const line of await compareLayouts(join(folder, 'layouts'), meta)) say(line);
  if (values.folder === undefined) await rm(folder, { recursive: true, force: true });
}

await main();
