// Flipped bits and cut files of a small data folder: each is found, or everything reads as it did.
// Never is anything handed out that was not put, and never does a server end of it. The whole of
// it, bit by bit, is `npm run soak -- damage`.

import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../simulation/seeded-random.ts';
import type { Damage } from './damage-subject.ts';
import { type Trial, tryDamages } from './damage-trials.ts';
import { fillSmallFolder } from './small-folder.ts';

const table = 'queue/data.mdb';
const payload = 'queue/payloads/1';

let base: string;
let sound: string;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'sluice-'));
  sound = join(base, 'sound');
  await fillSmallFolder(sound);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

async function outcomes(damages: readonly Damage[]): Promise<Record<string, number>> {
  const trials = await tryDamages({ sound, scratch: join(base, 'scratch'), damages });
  expect(trials.filter(({ outcome }) => outcome.kind === 'fault')).toEqual([]);
  return countOf(trials);
}

function countOf(trials: readonly Trial[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of trials) {
    const name = outcome.kind === 'found' ? `found by ${outcome.by}` : outcome.kind;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function flip(file: string, at: number, random: SeededRandom): Damage {
  return { kind: 'flip', file, at, bit: random.uint32() % 8 };
}

describe('a small data folder', () => {
  it('with one flipped bit anywhere in its table', async () => {
    const random = new SeededRandom(20_261_122);
    const { size } = statSync(join(sound, table));
    const somewhere = Array.from({ length: 60 }, () => random.uint32() % size);
    // The heads of the file and of its pages are small, and all depends on them.
    const heads = Array.from({ length: 2 * 21 }, (_, at) => {
      return 4096 * (at % 2) + 8 * Math.floor(at / 2) + (random.uint32() % 8);
    });
    const pages = Array.from({ length: size / 2048 }, (_, at) => {
      return 4096 * Math.floor(at / 2) + (random.uint32() % 56);
    });
    const places = [...somewhere, ...heads, ...pages];
    // Of a list of free pages: a number so large that adding one changes nothing, and its kind.
    const lists: readonly Damage[] = [
      { kind: 'flip', file: table, at: 61_430, bit: 6 },
      { kind: 'flip', file: table, at: 61_348, bit: 1 },
    ];
    const damages = [...places.map((at) => flip(table, at, random)), ...lists];
    const counts = await outcomes(damages);
    expect(counts['found by start']).toBeGreaterThan(5);
    expect(counts.harmless).toBeGreaterThan(5);
  });

  it('with one flipped bit in any other file', async () => {
    const random = new SeededRandom(7);
    const { size } = statSync(join(sound, payload));
    const payloads = Array.from({ length: 10 }, () =>
      flip(payload, random.uint32() % size, random),
    );
    expect(await outcomes(payloads)).toEqual({ 'found by verify': 10 });
    const format = Array.from({ length: 28 }, (_, at) => flip('FORMAT', at, random));
    const counts = await outcomes(format);
    expect(counts['found by start']).toBeGreaterThanOrEqual(27);
  });

  it('whose table was cut', async () => {
    const { size } = statSync(join(sound, table));
    const lengths = Array.from({ length: size / 4096 }, (_, at) => 4096 * at);
    const damages = [...lengths, 1, 4095, 4097, size - 1].map((length): Damage => {
      return { kind: 'cut', file: table, length };
    });
    // Free pages at the end are no loss.
    const counts = await outcomes(damages);
    expect(counts['found by start']).toBeGreaterThan(size / 4096 - 4);
  });

  it('whose journal a killed server has left, with one flipped bit in it', async () => {
    const killed = join(base, 'killed');
    const older = join(base, 'older');
    await fillSmallFolder(join(base, 'life'), (when) => {
      cpSync(join(base, 'life'), when === 'before' ? older : killed, {
        recursive: true,
        filter: (path) => !path.endsWith('/lock'),
      });
    });
    const [name = ''] = readdirSync(join(killed, 'queue', 'journal'));
    const file = `queue/journal/${name}`;
    const whole = statSync(join(killed, file)).size;
    // Records begin at blocks of 4 KB. The last one is that of the last transaction.
    const last = statSync(join(older, file)).size;
    expect(whole).toBe(last + 4096);
    const random = new SeededRandom(11);
    const before = Array.from({ length: last / 512 }, (_, at) => 512 * at + (at % 32));
    const damages = before.map((at) => flip(file, at, random));
    const scratch = join(base, 'scratch');
    const trials = await tryDamages({ sound: killed, older, scratch, damages });
    expect(trials.filter(({ outcome }) => outcome.kind === 'fault')).toEqual([]);
    const counts = countOf(trials);
    expect(counts['found by start']).toBeGreaterThan(3);
    expect(counts.older).toBeUndefined();
    // Nobody can tell a damaged last record from one that was never finished: it is left out.
    const end = Array.from({ length: 13 }, (_, at) => flip(file, last + 2 * at, random));
    const cuts = [last, last + 1, last + 30].map(
      (length): Damage => ({ kind: 'cut', file, length }),
    );
    const order = { sound: killed, older, scratch, damages: [...end, ...cuts] };
    expect(countOf(await tryDamages(order))).toEqual({ older: 16 });
  });

  it('whose payload file was cut', async () => {
    const { size } = statSync(join(sound, payload));
    const damages = [0, 1, 4096, size - 1].map((length): Damage => {
      return { kind: 'cut', file: payload, length };
    });
    expect(await outcomes(damages)).toEqual({ 'found by verify': 4 });
  });
});
