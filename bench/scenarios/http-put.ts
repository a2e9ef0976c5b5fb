// HTTP put against the empty server: the same load on both in turns, so that whatever else the
// machine does meets both. The ratio of each pair of rounds counts.

import { type Figure, figure } from '../figures.ts';
import { startEmptyServer, startLoader } from '../loader.ts';
import { explain, measure, type Round, rates, targetOf } from '../measured.ts';
import { service, startServer } from '../sluice-server.ts';
import type { World } from '../world.ts';

/** Enough that neither server waits for the load; a put also waits for its flush. */
const many = 256;
/** Here the flush is a large part of what a connection waits for. */
const few = 64;
const path = `/api/predict/${service}`;

interface Pair {
  readonly put: Round;
  readonly none: Round;
}

/** Finds `http_put_ratio`, `http_put_per_s` and `empty_http_per_s`; `http_put_ratio_64` with few. */
export async function httpPut(world: World): Promise<Figure[]> {
  const { rounds, seconds } = world.scale;
  const loader = startLoader(world);
  const sluice = await startServer(world, { folder: world.folder('http-put') });
  const empty = await startEmptyServer(world);
  const round = (
    server: { readonly url: string; readonly pid: number },
    connections: number,
  ): Promise<Round> => {
    const target = targetOf(server);
    return measure(loader, server, { kind: 'post', target, path, connections, seconds });
  };
  const pair = async (connections: number): Promise<Pair> => {
    const both = { none: await round(empty, connections), put: await round(sluice, connections) };
    await loader.run({ kind: 'empty', target: targetOf(sluice) });
    return both;
  };
  const pairs: Pair[] = [];
  const pairsOfFew: Pair[] = [];
  // The first pair warms both up.
  for (let at = 0; at <= rounds; at++) {
    const [ofMany, ofFew] = [await pair(many), await pair(few)];
    if (at === 0) continue;
    pairs.push(ofMany);
    pairsOfFew.push(ofFew);
  }
  await Promise.all([loader.stop(), sluice.stop(), empty.stop()]);
  const puts = pairs.map(({ put }) => put);
  const nones = pairs.map(({ none }) => none);
  return [
    figure('http_put_ratio', '', ratiosOf(pairs), { least: 0.8 }),
    figure('http_put_ratio_64', '', ratiosOf(pairsOfFew)),
    figure('http_put_per_s', '/s', rates(puts)),
    figure('empty_http_per_s', '/s', rates(nones)),
    ...explain('http_put', puts),
    ...explain('empty_http', nones),
  ];
}

function ratiosOf(pairs: readonly Pair[]): number[] {
  return pairs.map(({ put, none }) => put.perSecond / none.perSecond);
}
