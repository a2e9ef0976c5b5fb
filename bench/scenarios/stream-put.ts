// Puts over the stream protocol, made by one SDK client in one other process, every answer after
// the flush.

import { type Figure, figure } from '../figures.ts';
import { startLoader } from '../loader.ts';
import { explain, measure, type Round, rates, targetOf } from '../measured.ts';
import { startServer } from '../sluice-server.ts';
import type { World } from '../world.ts';

/** As many as the SDK's putMany keeps under way. */
const inFlight = 1024;

/** Finds `stream_put_per_s`. */
export async function streamPut(world: World): Promise<Figure[]> {
  const { rounds, seconds } = world.scale;
  const loader = startLoader(world);
  const sluice = await startServer(world, { folder: world.folder('stream-put') });
  const target = targetOf(sluice);
  const found: Round[] = [];
  for (let at = 0; at <= rounds; at++) {
    const job = { kind: 'put', target, inFlight, seconds } as const;
    const round = await measure(loader, sluice, job);
    if (at > 0) found.push(round);
    await loader.run({ kind: 'empty', target });
  }
  await Promise.all([loader.stop(), sluice.stop()]);
  return [
    figure('stream_put_per_s', '/s', rates(found), { least: 40_000 }),
    ...explain('stream_put', found),
  ];
}
