// The other process of the test that kills one: receives bodies, three at a time, as fast as it
// can, and tells its parent the name of each once it is stored.

import { BodyStore } from '../../src/blobs/store.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { bytesOf, mebibyte, never, pieces } from './blobs-world.ts';

const [folder = ''] = process.argv.slice(2);
const parts = { clock: systemClock, random: systemRandom, log: silentLog };
const store = new BodyStore({ folder, bytesMax: 4096 * mebibyte, reserveBytes: 0, ...parts });
await store.start();

async function write(seed: number): Promise<void> {
  for (let size = 300_000 + seed; ; size = (size * 3) % 3_000_000) {
    const source = pieces(bytesOf(size, seed), 65_536);
    const { name } = await store.receive(source, { bytesMax: 4 * mebibyte, signal: never });
    process.send?.({ name });
  }
}

process.once('disconnect', () => process.exit(1));
await Promise.all([1, 2, 3].map(write));
