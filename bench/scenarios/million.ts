// A million messages that wait: what each costs in memory, and how long a start takes until the
// first of them is in a worker's hands.

import { type Figure, figure } from '../figures.ts';
import { startLoader } from '../loader.ts';
import { targetOf } from '../measured.ts';
import { anonymousBytes } from '../process-figures.ts';
import { spawnServer, startServer } from '../sluice-server.ts';
import type { World } from '../world.ts';

const inFlight = 4096;

/** Finds `million.start_s` and `million.bytes_per_message`. */
export async function million(world: World): Promise<Figure[]> {
  const { waiting } = world.scale;
  const folder = world.folder('million');
  const filling = await startServer(world, { folder });
  const loader = startLoader(world);
  await filling.stop();
  const without = await memory(world, folder);

  const full = await startServer(world, { folder });
  const target = targetOf(full);
  await loader.run({ kind: 'fill', target, inFlight, count: waiting });
  await full.stop();

  const withAll: number[] = [];
  const starts: number[] = [];
  for (let at = 0; at < Math.min(3, world.scale.rounds); at++) {
    withAll.push(await memory(world, folder));
    const server = await spawnServer(world, { folder });
    const { endedAt } = await loader.run({ kind: 'firstDelivery', target: targetOf(server) });
    starts.push((endedAt - performance.timeOrigin - server.startedAt) / 1000);
    await server.stop();
  }
  await loader.stop();
  const ofEach = (bytes: number): number => (bytes - without) / waiting;
  return [
    figure('million.messages', '', [waiting]),
    figure('million.start_s', 's', starts, { most: 2.5 }),
    figure('million.bytes_per_message', 'bytes', withAll.map(ofEach), { most: 120 }),
    figure(
      'million.anonymous_mb',
      '',
      withAll.map((bytes) => bytes / 2 ** 20),
    ),
  ];
}

/** After a restart and a collection. */
async function memory(world: World, folder: string): Promise<number> {
  const server = await startServer(world, { folder, collects: true });
  await server.collect();
  const bytes = anonymousBytes(server.pid);
  await server.stop();
  return bytes;
}
