// Which instances to start and which to let go, from what is wanted and what there is. Pure, and
// asked again whenever something has changed. Always: work under way is waited for, and a model
// server never gets two windows at once. Whether the machine has room is decided elsewhere.

import type { DeployedService } from '../deployment/service.ts';
import { byWorth, type Copy, nameOf, staying } from './copy.ts';
import { rollingPlan, superseded } from './rolling.ts';
import { isOfService, launchKey } from './wanted.ts';

export interface Plan {
  /** New instances: one for each address, or `undefined` for a process or container. */
  readonly start: readonly (string | undefined)[];
  /** Names of instances that are to leave. */
  readonly leave: readonly string[];
  /** Why not all that are wanted can run; undefined: they can. */
  readonly limit: string | undefined;
}

const nothing: Plan = { start: [], leave: [], limit: undefined };

export function plan(wanted: DeployedService, copies: readonly Copy[]): Plan {
  const { source, count } = wanted.instances;
  if (count === 0) return { ...nothing, leave: byWorth(staying(copies)).map(nameOf) };
  switch (source.kind) {
    case 'endpoint':
      return endpointPlan(wanted, source.urls, copies);
    case 'process':
      if (source.port !== 0) return singlePlan(wanted, copies);
      return { ...nothing, ...rollingPlan(wanted, copies) };
    case 'container':
    case 'processor':
      return { ...nothing, ...rollingPlan(wanted, copies) };
    case 'none':
      return { ...nothing, leave: staying(copies).map(nameOf) };
    case 'pending':
      // What never can come replaces nothing: what there is of the service goes on.
      return { ...nothing, leave: strangers(wanted, copies), limit: source.missing };
  }
}

/** Copies of an earlier service of the same name. */
function strangers({ number }: DeployedService, copies: readonly Copy[]): readonly string[] {
  return staying(copies)
    .filter(({ key }) => !isOfService(key, number))
    .map(nameOf);
}

/** An address gets its next instance only when the one before has left it, work and all. */
function endpointPlan(
  { number, instances: { count } }: DeployedService,
  urls: readonly string[],
  copies: readonly Copy[],
): Plan {
  const chosen = new Set([...new Set(urls)].slice(0, count));
  const served = new Set(copies.map(({ url }) => url));
  const there = staying(copies);
  const kept = there.filter(
    ({ url, key }) => url !== undefined && chosen.has(url) && isOfService(key, number),
  );
  // An update from processes or containers: they go when servers are ready in their place.
  const started = there.filter(({ url, key }) => url === undefined && isOfService(key, number));
  const ready = kept.filter(({ isReady }) => isReady).length;
  const replaced = superseded(started, ready - chosen.size);
  const gone = there.filter((copy) => !kept.includes(copy) && !started.includes(copy));
  return {
    start: [...chosen].filter((url) => !served.has(url)),
    leave: [...gone.map(nameOf), ...replaced],
    limit: undefined,
  };
}

/** A fixed port: the old process has to be gone before the new one can have it. */
function singlePlan(wanted: DeployedService, copies: readonly Copy[]): Plan {
  const { count, source } = wanted.instances;
  const port = source.kind === 'process' ? source.port : 0;
  const key = launchKey(wanted);
  const current = staying(copies).filter((copy) => copy.key === key);
  const [kept, ...extra] = [...byWorth(current)].reverse();
  const old = staying(copies).filter((copy) => copy !== kept && !extra.includes(copy));
  const limit =
    `port ${port} can be held by one process only; leave it out (or set it to 0) and listen on ` +
    'the port given as PORT';
  return {
    start: copies.length === 0 ? [undefined] : [],
    leave: [...old, ...extra].map(nameOf),
    limit: count > 1 ? limit : undefined,
  };
}
