// The admission test of lmdb: very many messages come and go, of sizes that make pages come apart
// and whole runs of pages free, with a restart now and then. The file must stay as large as it was
// after the first few, and what is there must be right, at every check and at the end.
//
//   npm run soak -- lmdb-admission [--pairs 100000000] [--live 20000] [--folder DIR]

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { queueFolder } from '../../src/engine/lmdb/folder.ts';
import { verifyFolder } from '../../src/engine/lmdb/health.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { terminalLog } from '../../src/kernel/log.ts';
import type { Transition } from '../../src/queue/transition.ts';
import { metaOf, remove, rowsOf, Writer } from '../conformance/world.ts';

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '100000000' },
    live: { type: 'string', default: '20000' },
    folder: { type: 'string' },
  },
});
const pairs = Number(values.pairs);
/** Messages that are there at any time. */
const live = Number(values.live);
const perTurn = 256;
const restarts = 20;
const reportMs = 10_000;
/** Pairs between two looks at the size of the file. */
const sampleEvery = 100 * perTurn;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function check(fact: boolean, statement: string): asserts fact {
  if (!fact) throw new Error(`Not so: ${statement}`);
}

/** Mostly small, some that fill half a page, some of several pages. */
function sizeOf(index: number): number {
  const mixed = Math.imul(index, 0x9e37_79b1) >>> 0;
  if (mixed % 512 === 0) return 4096 + (mixed % 60_000);
  return mixed % 8 === 0 ? mixed % 4000 : mixed % 500;
}

const pattern = Buffer.alloc(70_000 + 251);
for (let at = 0; at < pattern.length; at++) pattern[at] = at % 251;

function payloadOf(index: number): Buffer {
  return pattern.subarray(index % 251, (index % 251) + sizeOf(index));
}

function put(index: number): Transition {
  const payload = payloadOf(index);
  const message = { meta: metaOf(index, payload.length), payload };
  return { kind: 'put', queue: 'input', message };
}

async function checkSome(writer: Writer, first: number, last: number): Promise<void> {
  const step = Math.max(1, Math.floor((last - first) / 50));
  for (let index = first; index <= last; index += step) {
    const payload = await writer.payload('input', index);
    check(payload?.equals(payloadOf(index)) === true, `message ${index} is as it was put`);
  }
  check((await writer.payload('input', first - 1)) === undefined, 'a removed message is gone');
}

async function checkAll(writer: Writer, first: number, last: number): Promise<void> {
  const indexes = rowsOf(await writer.recover(), 'message').map(({ meta }) => meta.index);
  check(indexes.length === last - first + 1, `there are ${live} messages after a restart`);
  check(
    indexes.every((index, at) => index === first + at),
    'they are the latest, in order',
  );
}

async function soak(folder: string): Promise<void> {
  const open = async (): Promise<Writer> => {
    const engine = new LmdbEngine({ folder, clock: systemClock, log: terminalLog('warn') });
    await engine.start();
    return new Writer(engine);
  };
  const fileBytes = async (): Promise<number> =>
    (await stat(join(queueFolder(folder), 'data.mdb'))).size;
  let writer = await open();
  let last = 0;
  while (last < live) {
    await writer.write(...Array.from({ length: perTurn }, (_, at) => put(last + at + 1)));
    last += perTurn;
  }
  let first = 1;
  let under: Promise<void> = Promise.resolve();
  const turn = async (): Promise<void> => {
    const transitions: Transition[] = [];
    for (let at = 1; at <= perTurn; at++) transitions.push(put(last + at));
    for (let at = 0; at < perTurn; at++) transitions.push(remove('input', first + at));
    last += perTurn;
    first += perTurn;
    // Two appends are under way at any time, as the broker has them.
    await under;
    under = writer.write(...transitions);
  };
  const begun = performance.now();
  let reported = begun;
  let reportedPairs = 0;
  let settledBytes = 0;
  let largestBytes = 0;
  let restarted = 0;
  for (let done = 0; done < pairs; done += perTurn) {
    await turn();
    if (done % sampleEvery === 0) {
      const bytes = await fileBytes();
      // By a twentieth of the way every page has been used again many times.
      if (done < pairs / 20) settledBytes = Math.max(settledBytes, bytes);
      largestBytes = Math.max(largestBytes, bytes);
    }
    if (done / pairs >= (restarted + 1) / (restarts + 1)) {
      restarted++;
      await under;
      await writer.engine.stop();
      writer = await open();
      await checkAll(writer, first, last);
    }
    const now = performance.now();
    if (now - reported < reportMs && done + perTurn < pairs) continue;
    await under;
    await checkSome(writer, first, last);
    const bytes = await fileBytes();
    largestBytes = Math.max(largestBytes, bytes);
    const rate = Math.round((done + perTurn - reportedPairs) / ((now - reported) / 1000));
    say(`${done + perTurn} pairs  ${rate}/s  file ${(bytes / 2 ** 20).toFixed(1)} MB`);
    reported = now;
    reportedPairs = done + perTurn;
  }
  const seconds = (performance.now() - begun) / 1000;
  await writer.engine.stop();
  writer = await open();
  await checkAll(writer, first, last);
  for (let index = first; index <= last; index++) {
    const payload = await writer.payload('input', index);
    check(payload?.equals(payloadOf(index)) === true, `message ${index} is as it was put`);
  }
  await writer.engine.stop();
  const report = await verifyFolder(folder, () => undefined);
  check(report.damageCount === 0, 'verify finds nothing');
  check(largestBytes <= 1.25 * settledBytes, 'the file has not grown by more than a quarter');
  const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  say(
    [
      `lmdb-admission: ${pairs} pairs`,
      `${restarted} restarts`,
      `${Math.round(pairs / seconds)} pairs/s`,
      `file ${megabytes(settledBytes)} early`,
      `${megabytes(largestBytes)} at most`,
    ].join(', '),
  );
}

const folder = values.folder ?? (await mkdtemp(join(tmpdir(), 'sluice-soak-')));
try {
  await soak(folder);
} finally {
  if (values.folder === undefined) await rm(folder, { recursive: true, force: true });
}
