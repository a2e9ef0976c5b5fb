// A small data folder with a row of every kind, and everything that can be read back from it: what
// a later version, a restored backup or a damaged folder is compared with.

import { createHash } from 'node:crypto';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { queueNames } from '../../src/queue/message.ts';
import type { Transition } from '../../src/queue/transition.ts';
import {
  deliver,
  group,
  metaOf,
  payloadOf,
  put,
  recordOf,
  recovered,
  remove,
  rowsOf,
  Writer,
} from '../conformance/world.ts';

/** The number of its one service. */
export const smallService = 7;

const largeBytes = 256 * 1024;

/** An engine that looks at nothing before it opens, on a folder of the test's own. */
export function plainEngine(folder: string): LmdbEngine {
  const options = { folder, clock: systemClock, log: silentLog, reserveBytes: 0 };
  return new LmdbEngine({ ...options, checkFirst: false });
}

/** Fills a new folder. The last transaction only rewrites rows that were there before. `look` is
 * called before it and after it, while the engine is open. */
export async function fillSmallFolder(
  folder: string,
  look: (when: 'before' | 'after') => void = () => undefined,
): Promise<void> {
  const engine = plainEngine(folder);
  await engine.start();
  const writer = new Writer(engine, smallService);
  await engine.saveDefinition({ number: smallService, name: 'small', definition: '{"a":1}' });
  await writer.write({ kind: 'epoch', epoch: 3 }, group('input', 1, 'small'));
  await writer.write(
    ...Array.from({ length: 12 }, (_, at) => put('input', at + 1, 40 * (at + 1), settled(at))),
    put('input', 13, 6000),
    put('input', 14, largeBytes),
  );
  await writer.write(
    ...[1, 2, 3, 4, 5].map((index) => deliver('input', 1, index, 2 ** 33 + index)),
  );
  await writer.write(completed(1), completed(2), dead(3));
  await writer.write(homeRecord(4), remove('sink', 1, { source: 1 }));
  await writer.write({ kind: 'return', ...markOn(5) });
  await writer.write(
    { kind: 'checkpoint', index: 5, data: payloadOf(5, 300) },
    { kind: 'record', record: recordOf(2, { resultIndex: 2, ...full }) },
  );
  look('before');
  await writer.write(deliver('input', 1, 6, 2 ** 33 + 6));
  look('after');
  await engine.stop();
}

const full = {
  path: '/v1/read',
  terms: '{"retainMs":60000}',
  source: 1,
  contentType: 'text/plain',
  after: '{"redrivenAs":9}',
};

function settled(at: number): Parameters<typeof metaOf>[2] {
  if (at % 3 !== 0) return {};
  const tags = new Map([['model', `m${at}`]]);
  return { callerId: true, tags, priority: at, owner: 'token-a', contentType: 'text/plain' };
}

function completed(index: number): Transition {
  return {
    kind: 'complete',
    index,
    result: put('sink', index, 100 * index, { source: index }).message,
    recordResult: undefined,
    record: recordOf(index, { resultIndex: index }),
    outbox: { index, terms: `https://example.org/${index}` },
  };
}

function dead(index: number): Transition {
  return {
    kind: 'dead',
    queue: 'input',
    index,
    rear: metaOf(1, 40 * index, { source: index, tags: new Map([['lastCode', '500']]) }),
    notice: put('sink', 3, 0, { source: index }).message,
    record: recordOf(index, { state: 'dead', cause: 'deliveries' }),
    outbox: undefined,
  };
}

function homeRecord(index: number): Transition {
  return {
    kind: 'complete',
    index,
    result: undefined,
    recordResult: payloadOf(index, 700),
    record: recordOf(index, { home: 'record' }),
    outbox: undefined,
  };
}

function markOn(index: number): Omit<Extract<Transition, { kind: 'return' }>, 'kind'> {
  const given = deliver('input', 1, index, 2 ** 33 + index, { state: 'returned', bad: 1 });
  if (given.kind !== 'deliver') throw new Error('deliver makes a delivery');
  return { queue: given.queue, group: given.group, index, mark: given.mark };
}

/**
 * Everything that the engine hands out of the folder, one line for each thing; a line that says
 * `refused` for each that it refuses to read.
 */
export async function contentOf(engine: LmdbEngine): Promise<readonly string[]> {
  const lines: string[] = [];
  const say = async (what: string, read: () => Promise<unknown>): Promise<void> => {
    const value = await read().then(show, () => 'refused');
    lines.push(`${what}: ${value}`);
  };
  await say('definitions', () => engine.definitions());
  const rows = await recovered(engine, smallService).catch(() => undefined);
  lines.push(...(rows ?? []).map((row) => `row: ${show(row)}`));
  if (rows === undefined) lines.push('rows: refused');
  for (const queue of queueNames) {
    const last = rowsOf(rows ?? [], 'message').filter((row) => row.queue === queue);
    for (const { meta } of last) {
      const ref = { service: smallService, queue, index: meta.index };
      await say(`${queue} ${meta.index}`, () => engine.payloads([ref]));
    }
  }
  await say('records', () => engine.records(smallService, 0, 100));
  for (const index of [1, 2, 3, 4, 5]) {
    await say(`result ${index}`, () => engine.recordResult(smallService, index));
    await say(`checkpoint ${index}`, () => engine.checkpoint(smallService, index));
    await say(`departure ${index}`, () => engine.departure(smallService, index));
  }
  return lines;
}

function show(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    // Not written where it is not known, as in all folders of before it was.
    if (key === 'revision' && part === 0) return undefined;
    if (part instanceof Map) return [...part];
    if (part instanceof Uint8Array) return showBytes(part);
    return isBufferJson(part) ? showBytes(Buffer.from(part.data)) : part;
  });
}

function showBytes(bytes: Uint8Array): string {
  return `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex')}`;
}

// A Buffer has become this before a replacer sees it.
function isBufferJson(part: unknown): part is { readonly data: readonly number[] } {
  return typeof part === 'object' && part !== null && 'type' in part && part.type === 'Buffer';
}
