// The other process of the lmdb tests. `hold` opens a folder and keeps it. `write` appends full
// cycles as fast as it can and tells its parent each sequence number once it is acknowledged.

import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { Transition } from '../../src/queue/transition.ts';
import { deliver, group, put, recordOf, remove, Writer } from '../conformance/world.ts';

/** What the parent is told. */
export interface Acknowledged {
  readonly sequence: number;
}

const [folder = '', mode] = process.argv.slice(2);
const engine = new LmdbEngine({ folder, clock: systemClock, log: silentLog, checkFirst: false });
await engine.start();

/** Every life numbers its turns on from where the index says the last one ended. */
async function write(): Promise<void> {
  const writer = new Writer(engine);
  await writer.recover();
  let index = writer.state.lastIndexes[0];
  if (index === 0) await engine.append(writer.batch([group('input', 1)]));
  const one = async (): Promise<void> => {
    for (;;) {
      index++;
      const mine = index;
      // Message n stays until message n + 3 comes; every tenth has a payload file.
      const size = mine % 10 === 0 ? 256 * 1024 : 1000;
      const transitions: Transition[] = [put('input', mine, size), deliver('input', 1, mine, mine)];
      if (mine > 3) transitions.push(remove('input', mine - 3, { record: recordOf(mine - 3) }));
      const outcome = await writer.append(...transitions);
      if (outcome.kind !== 'durable') throw new Error(`append: ${outcome.kind}`);
      process.send?.({ sequence: mine } satisfies Acknowledged);
    }
  };
  await Promise.all([one(), one()]);
}

process.send?.('open');
if (mode === 'write') await write();
// `hold`: the channel to the parent keeps this process alive.
process.on('disconnect', () => process.exit(0));
