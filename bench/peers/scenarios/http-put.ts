// Puts over HTTP: Sluice's own edge, and for each peer a node:http server that puts by its client.
// The same load program posts to all of them.

import { type Loader, startLoader, startProgram, stopProgram } from '../../loader.ts';
import { cpuUs } from '../../process-figures.ts';
import { service, token } from '../../sluice-server.ts';
import { type Arena, play } from '../arena.ts';
import { type Contestant, soon } from '../contestants.ts';
import type { Sample } from '../findings.ts';
import { sluiceName } from '../peers.ts';

const scenario = 'http-put';
const payloadBytes = 1024;
const connections = 256;
const path = `/api/predict/${service}`;
const startMs = 60_000;

interface Front {
  readonly url: string;
  cpuUs(): number;
  stop(): Promise<void>;
}

/** One message a request, 256 connections. */
export async function httpPut(arena: Arena): Promise<void> {
  const loader = startLoader(arena.world);
  const fronts = new Map<Contestant, Front>();
  const measure = async (contestant: Contestant): Promise<readonly Sample[]> => {
    const front = fronts.get(contestant) ?? (await openFront(arena, contestant));
    fronts.set(contestant, front);
    return [await post(arena, loader, { contestant, front })];
  };
  try {
    await play(arena, { scenario, payloadBytes, parts: [{ scenario, measure }] });
  } finally {
    await Promise.all([...fronts.values(), loader].map((each) => each.stop()));
  }
}

async function post(
  { world }: Arena,
  loader: Loader,
  { contestant, front }: { readonly contestant: Contestant; readonly front: Front },
): Promise<Sample> {
  const before = contestant.cpuUs() + front.cpuUs();
  const { seconds } = world.scale;
  const target = { url: front.url, service, token, payloadBytes };
  const answer = await loader.run({ kind: 'post', target, path, connections, seconds });
  return {
    scenario,
    unit: '/s',
    value: answer.done / answer.seconds,
    serverUs: (contestant.cpuUs() + front.cpuUs() - before) / Math.max(1, answer.total),
    clientUs: answer.cpuUs / Math.max(1, answer.total),
  };
}

async function openFront({ world }: Arena, contestant: Contestant): Promise<Front> {
  const { address, peer } = contestant;
  if (peer.name === sluiceName && address.adapter === 'sluice') {
    return { url: address.url, cpuUs: () => 0, stop: async () => undefined };
  }
  const child = startProgram(world, 'peers/front.ts', JSON.stringify(address));
  const port: number = await soon(child, startMs);
  const { pid = 0 } = child;
  return {
    url: `http://127.0.0.1:${port}`,
    cpuUs: () => cpuUs(pid),
    stop: () => stopProgram(child),
  };
}
