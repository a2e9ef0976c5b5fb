// Which instances to start and which to let go, from what is wanted and what there is. Pure, and
// asked again whenever something has changed. Always: work under way is waited for, a model server
// never gets two windows at once, and an update keeps as many ready instances as it can.

import type { DeployedService } from '../deployment/service.ts';
import { isOfService, launchKey } from './wanted.ts';

/** What the plan looks at of one instance. */
export interface Copy {
  readonly name: string;
  readonly key: string;
  /** The address, of an endpoint. */
  readonly url: string | undefined;
  readonly isReady: boolean;
  readonly isLeaving: boolean;
  /** Requests its model has. */
  readonly held: number;
}

export interface Plan {
  /** New instances: one for each address, or `undefined` for a process. */
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
      return source.port === 0 ? rollingPlan(wanted, copies) : singlePlan(wanted, copies);
    case 'none':
      return { ...nothing, leave: staying(copies).map(nameOf) };
    case 'container':
      return rollingPlan(wanted, copies);
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
  const [kept, ...extra] = staying(copies).filter((copy) => copy.key === key && count > 0);
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

/** One more than wanted while old ones are replaced; an old one goes when a new one is ready. */
function rollingPlan(wanted: DeployedService, copies: readonly Copy[]): Plan {
  const { count } = wanted.instances;
  const key = launchKey(wanted);
  const current = staying(copies).filter((copy) => copy.key === key);
  const old = staying(copies).filter((copy) => copy.key !== key);
  if (old.length === 0) {
    const missing = Math.max(0, count - current.length);
    const extra = byWorth(current).slice(0, Math.max(0, current.length - count));
    return { ...nothing, start: Array(missing).fill(undefined), leave: extra.map(nameOf) };
  }
  const room = Math.max(0, count + 1 - current.length - old.length);
  const missing = Math.min(Math.max(0, count - current.length), room);
  const ready = current.filter(({ isReady }) => isReady).length;
  const useful = Math.max(0, count - ready);
  const leave = byWorth(old).slice(0, Math.max(0, old.length - useful));
  const extra = byWorth(current).slice(0, Math.max(0, current.length - count));
  return {
    ...nothing,
    start: Array(missing).fill(undefined),
    leave: [...leave, ...extra].map(nameOf),
  };
}

function staying(copies: readonly Copy[]): readonly Copy[] {
  return copies.filter(({ isLeaving }) => !isLeaving);
}

/** Those to part with first: not ready before ready, idle before busy, young before old. */
function byWorth(copies: readonly Copy[]): readonly Copy[] {
  return [...copies]
    .reverse()
    .sort((one, other) => Number(one.isReady) - Number(other.isReady) || one.held - other.held);
}

const nameOf = ({ name }: Copy): string => name;
