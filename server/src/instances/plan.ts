// Which instances to start and which to let go, from what is wanted and what there is. Pure, and
// asked again whenever something has changed. Always: work under way is waited for, and a model
// server never gets two windows at once. Whether the machine has room is decided elsewhere.

import type { DeployedService } from '../deployment/service.ts';
import { byWorth, type Copy, nameOf, staying } from './copy.ts';
import { rollingPlan } from './rolling.ts';
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
  const { source } = wanted.instances;
  switch (source.kind) {
    case 'endpoint':
      return endpointPlan(wanted, source.urls, copies);
    case 'process':
      if (source.port !== 0) return singlePlan(wanted, copies);
      return { ...nothing, ...rollingPlan(wanted, copies) };
    case 'container':
      return { ...nothing, ...rollingPlan(wanted, copies) };
    case 'none':
      return { ...nothing, leave: staying(copies).map(nameOf) };
    case 'pending':
      return { ...nothing, leave: staying(copies).map(nameOf), limit: source.missing };
  }
}

/** An address gets its next instance only when the one before has left it, work and all. */
function endpointPlan(
  { number, instances: { count } }: DeployedService,
  urls: readonly string[],
  copies: readonly Copy[],
): Plan {
  const chosen = new Set([...new Set(urls)].slice(0, count));
  const served = new Set(copies.map(({ url }) => url));
  const stays = ({ url, key }: Copy): boolean =>
    url !== undefined && chosen.has(url) && isOfService(key, number);
  return {
    start: [...chosen].filter((url) => !served.has(url)),
    leave: staying(copies)
      .filter((copy) => !stays(copy))
      .map(nameOf),
    limit: undefined,
  };
}

/** A fixed port: the old process has to be gone before the new one can have it. */
function singlePlan(wanted: DeployedService, copies: readonly Copy[]): Plan {
  const { count, source } = wanted.instances;
  const port = source.kind === 'process' ? source.port : 0;
  const key = launchKey(wanted);
  const current = staying(copies).filter((copy) => copy.key === key && count > 0);
  const [kept, ...extra] = [...byWorth(current)].reverse();
  const old = staying(copies).filter((copy) => copy !== kept && !extra.includes(copy));
  const limit =
    `port ${port} can be held by one process only; leave it out (or set it to 0) and listen on ` +
    'the port given as PORT';
  return {
    start: copies.length === 0 && count > 0 ? [undefined] : [],
    leave: [...old, ...extra].map(nameOf),
    limit: count > 1 ? limit : undefined,
  };
}
