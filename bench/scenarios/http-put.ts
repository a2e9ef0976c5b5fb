// HTTP put against the empty server: the same load on both in turns, so that whatever else the
// machine does meets both. The ratio of each pair of rounds counts.

import { type Figure, figure } from '../figures.ts';
import { startEmptyServer, startLoader } from '../loader.ts';
import { explain, measure, type Round, rates, targetOf } from '../measured.ts';
import { service, startServer } from '../sluice-server.ts';
import type { World } from '../world.ts';

const connections = 64;
const path = `/api/predict/${service}`;

interface Pair {
  readonly put: Round;
  readonly none: Round;
}

/** Finds `http_put_ratio`, `http_put_per_s` and `empty_http_per_s`. */
export async function httpPut(world: World): Promise<Figure[]> {
  const { rounds, seconds } = world.scale;
  const loader = startLoader(world);
  const sluice = await startServer(world, { folder: world.folder('http-put') });
  const empty = await startEmptyServer(world);
  const round = (server: { readonly url: string; readonly pid: number }): Promise<Round> => {
    const target = targetOf(server);
    return measure(loader, server, { kind: 'post', target, path, connections, seconds });
  };
  const pairs: Pair[] = [];
  // The first pair warms both up.
  for (let at = 0; at <= rounds; at++) {
    const pair = { none: await round(empty), put: await round(sluice) };
    if (at > 0) pairs.push(pair);
    await loader.run({ kind: 'empty', target: targetOf(sluice) });
  }
  await Promise.all([loader.stop(), sluice.stop(), empty.stop()]);
  const puts = pairs.map(({ put }) => put);
  const nones = pairs.map(({ none }) => none);
  const ratios = pairs.map(({ put, none }) => put.perSecond / none.perSecond);
  return [
    figure('http_put_ratio', '', ratios, { least: 0.75 }),
    figure('http_put_per_s', '/s', rates(puts)),
    figure('empty_http_per_s', '/s', rates(nones)),
    ...explain('http_put', puts),
    ...explain('empty_http', nones),
  ];
}
