// Whole requests over the stream protocol: put, delivered, completed with a result, result at the
// submitter. First as many as the server can do, then at half of that rate, to see how long a put
// takes to reach a worker when there is room.

import { type Figure, figure } from '../figures.ts';
import { startLoader } from '../loader.ts';
import { explain, measure, type Round, rates, targetOf } from '../measured.ts';
import { startServer } from '../sluice-server.ts';
import type { World } from '../world.ts';

const inFlight = 256;
/** The server's own figure is of the last ten seconds. */
const loopDelay = 'sluice_event_loop_delay_seconds{quantile="0.99"}';

/** Finds `cycles_per_s`, `loop_delay_ms.p99` and `dispatch_ms`. */
export async function cycles(world: World): Promise<Figure[]> {
  const { rounds, seconds } = world.scale;
  const loader = startLoader(world);
  const sluice = await startServer(world, { folder: world.folder('cycles') });
  const target = targetOf(sluice);
  const found: Round[] = [];
  for (let at = 0; at <= rounds; at++) {
    const round = await measure(loader, sluice, { kind: 'cycles', target, inFlight, seconds });
    if (at > 0) found.push(round);
  }
  const delayS = await sluice.metric(loopDelay);
  const full = figure('cycles_per_s', '/s', rates(found), { least: 15_000 });
  const perSecond = full.spread.median / 2;
  const calm: Round[] = [];
  for (let at = 0; at < rounds; at++) {
    calm.push(await measure(loader, sluice, { kind: 'dispatch', target, perSecond, seconds }));
  }
  await Promise.all([loader.stop(), sluice.stop()]);
  return [
    full,
    ...explain('cycle', found),
    figure('loop_delay_ms.p99', 'ms', [delayS * 1000]),
    figure('dispatch_per_s', '/s', rates(calm)),
    ...explain('dispatch', calm),
  ];
}
