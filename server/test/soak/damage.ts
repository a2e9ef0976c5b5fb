// Bits of a small data folder flipped one after the other, at random places, for as long as wanted:
// each is found, or everything reads as it did (see test/integration/damage.test.ts). Ends with
// code 1 when one was neither.
//
//   npm run soak -- damage --seconds 600 --seed 7

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Damage } from '../integration/damage-subject.ts';
import { tryDamages } from '../integration/damage-trials.ts';
import { fillSmallFolder } from '../integration/small-folder.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, seed: { type: 'string' } },
  strict: false,
});
const seconds = Number(values.seconds ?? 600);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const random = new SeededRandom(seed);
const perRound = 400;
const file = 'queue/data.mdb';

const base = mkdtempSync(join(tmpdir(), 'sluice-damage-'));
const counts: Record<string, number> = {};
let faults = 0;
try {
  const sound = join(base, 'sound');
  await fillSmallFolder(sound);
  const { size } = statSync(join(sound, file));
  // Two of three where pages say what they are, and where the first rows of each lie: at its end.
  const place = (): number => {
    const at = random.uint32() % size;
    const page = at - (at % 4096);
    const choices = [at, page + (at % 180), page + 4095 - (at % 200)];
    return choices[random.uint32() % 3] ?? at;
  };
  const until = Date.now() + seconds * 1000;
  while (Date.now() < until) {
    const damages = Array.from({ length: perRound }, (): Damage => {
      return { kind: 'flip', file, at: place(), bit: random.uint32() % 8 };
    });
    const scratch = join(base, 'scratch');
    for (const { damage, outcome } of await tryDamages({ sound, scratch, damages })) {
      const name = outcome.kind === 'found' ? `found by ${outcome.by}` : outcome.kind;
      counts[name] = (counts[name] ?? 0) + 1;
      if (outcome.kind !== 'fault') continue;
      faults += 1;
      console.log(`${JSON.stringify(damage)}: ${outcome.what}`);
    }
    console.log(JSON.stringify(counts));
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
console.log(`damage: seed ${seed}, ${JSON.stringify(counts)}, ${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
