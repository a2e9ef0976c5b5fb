// The process that tries damaged folders out, one after the other, as a server would: checks what
// a check finds, starts where a start is allowed, reads everything, writes, and reads again. It may
// crash; its parent (damage-trials.ts) knows how far it was.

import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { queueFolder } from '../../src/engine/lmdb/folder.ts';
import { readFolderState } from '../../src/engine/lmdb/format.ts';
import { glance } from '../../src/engine/lmdb/glance.ts';
import { hasTable, verify } from '../../src/engine/lmdb/verify.ts';
import { put, remove, Writer } from '../conformance/world.ts';
import { contentOf, plainEngine, smallService } from './small-folder.ts';

export type Damage =
  | { readonly kind: 'flip'; readonly file: string; readonly at: number; readonly bit: number }
  | { readonly kind: 'cut'; readonly file: string; readonly length: number };

export interface Order {
  /** A folder that is sound. */
  readonly sound: string;
  /** The same folder before its last transaction; empty = it doesn't matter. */
  readonly older: string;
  /** Where damaged copies of it are made. */
  readonly scratch: string;
  readonly damages: readonly Damage[];
  readonly from: number;
}

/** `harmless`: everything reads as it did. `older`: as before the last transaction. `found`:
 * nothing reads otherwise than it did, and the start or verify says what is wrong. Anything else is
 * a fault of ours. */
export type Outcome =
  | { readonly kind: 'harmless' | 'older' }
  | { readonly kind: 'found'; readonly by: 'start' | 'verify' }
  | { readonly kind: 'fault'; readonly what: string };

export type Word =
  | { readonly kind: 'stage'; readonly stage: 'check' | 'serve' }
  | { readonly kind: 'outcome'; readonly outcome: Outcome };

interface Reading {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

async function read(folder: string): Promise<Reading> {
  const engine = plainEngine(folder);
  await engine.start();
  try {
    const before = await contentOf(engine);
    const isRead = !before.includes('rows: refused');
    return { before, after: isRead ? await changed(engine) : [] };
  } finally {
    await engine.stop();
  }
}

async function changed(engine: LmdbEngine): Promise<readonly string[]> {
  const writer = new Writer(engine, smallService);
  await writer.recover();
  const puts = [15, 16, 17, 18].map((index) => put('input', index, 3000));
  await writer.write(remove('input', 8), remove('input', 13), ...puts);
  await writer.write(remove('input', 16), put('input', 19, 300));
  return contentOf(engine);
}

/** undefined when it finds nothing. */
async function complaint(check: () => Promise<unknown>): Promise<string | undefined> {
  return check().then(
    (what) => (what === undefined ? undefined : String(what)),
    (error: unknown) => String(error),
  );
}

function damageIn(folder: string, damage: Damage): void {
  const path = join(folder, damage.file);
  if (damage.kind === 'cut') {
    truncateSync(path, damage.length);
    return;
  }
  const bytes = readFileSync(path);
  bytes[damage.at] = (bytes[damage.at] ?? 0) ^ (1 << damage.bit);
  writeFileSync(path, bytes);
}

async function tryOut(folder: string, sound: Reading, older: Reading): Promise<Outcome> {
  const queue = queueFolder(folder);
  say({ kind: 'stage', stage: 'check' });
  const seen = await complaint(async () => {
    await readFolderState(folder);
    if (!hasTable(queue)) return 'no table';
    const { damages } = await verify(queue, () => undefined);
    return damages[0]?.what;
  });
  const refused = await complaint(async () => {
    await readFolderState(folder);
    if (hasTable(queue)) await glance(queue);
  });
  if (refused !== undefined) {
    const by = 'start';
    return seen === undefined ? fault(`verify misses: ${refused}`) : { kind: 'found', by };
  }
  say({ kind: 'stage', stage: 'serve' });
  const found = await read(folder);
  if (isSame(found, older)) return { kind: 'older' };
  for (const part of ['before', 'after'] as const) {
    const known = new Set(sound[part]);
    const wrong = found[part].find((line) => !isRefused(line) && !known.has(line));
    if (wrong !== undefined) return fault(`${part}: ${wrong.slice(0, 300)} (${seen})`);
  }
  const isWhole = found.before.length === sound.before.length;
  const isRead = isWhole && ![...found.before, ...found.after].some(isRefused);
  if (seen !== undefined) return { kind: 'found', by: 'verify' };
  return isRead ? { kind: 'harmless' } : fault('verify misses what can not be read');
}

function isSame(one: Reading, other: Reading): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function isRefused(line: string): boolean {
  return line.endsWith(': refused');
}

function fault(what: string): Outcome {
  return { kind: 'fault', what };
}

function say(word: Word): void {
  process.send?.(word);
}

function copyTo(folder: string, sound: string): void {
  rmSync(folder, { recursive: true, force: true });
  cpSync(sound, folder, { recursive: true });
}

const [text = '{}'] = process.argv.slice(2);
// The parent is the only one who starts this, with an order.
const { sound, older, scratch, damages, from } = JSON.parse(text) as Order;
copyTo(scratch, sound);
const soundReading = await read(scratch);
let olderReading: Reading = { before: [], after: [] };
if (older !== '') {
  copyTo(scratch, older);
  olderReading = await read(scratch);
}
for (const damage of damages.slice(from)) {
  copyTo(scratch, sound);
  damageIn(scratch, damage);
  const outcome = await tryOut(scratch, soundReading, olderReading).catch(
    (error: unknown): Outcome => {
      return fault(error instanceof Error ? (error.stack ?? error.message) : String(error));
    },
  );
  say({ kind: 'outcome', outcome });
}
process.disconnect?.();
