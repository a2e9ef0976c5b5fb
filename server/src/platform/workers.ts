// Workers on other machines: what they are told of their service, and how they stand beside the
// instances of this machine in every list.

import type { WorkTerms } from '@sluice/sdk/wire';
import type { Broker } from '../broker/broker.ts';
import type { InstanceHost } from '../http/api/administrator.ts';
import type { WorkerDesk } from '../http/stream/calls.ts';
import { JoinedWorkers } from '../http/stream/joined.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Registry } from '../services/registry.ts';

/** What joins is told what its service declares, and recorded. */
export function workerDesk(parts: {
  readonly registry: Registry;
  readonly record: RecordEvent;
  readonly clock: Clock;
  readonly log: Log;
}): WorkerDesk {
  const { registry, record, clock, log } = parts;
  const joined = new JoinedWorkers({ clock, log, record });
  return { joined, terms: (service) => termsOf(registry, service) };
}

/** The instances of this machine, and behind them those that have joined. */
export function withJoined(
  own: InstanceHost,
  { joined }: WorkerDesk,
  broker: Pick<Broker, 'find'>,
): InstanceHost {
  const slotsOf = (service: string): ((instance: string) => number) => {
    const consumers = broker.find(service)?.view('input').consumers ?? [];
    const busy = new Map(
      consumers
        .filter(({ gid }) => gid === service)
        .map(({ uid, window, slots }) => [uid, window - slots]),
    );
    return (instance) => busy.get(instance) ?? 0;
  };
  return {
    ...own,
    list: (service) => {
      const instances = own.list(service);
      if (!joined.has(service)) return instances;
      return [...instances, ...joined.list(service, slotsOf(service))];
    },
  };
}

function termsOf(
  registry: Registry,
  service: string,
): Omit<WorkTerms, 'resultBytesMax'> | undefined {
  const view = registry.get(service);
  if (view?.declared === undefined) return undefined;
  const { window, keepaliveMs, request, retryStatuses, releaseAfterMs } = view.declared;
  const { path, paths, method, contentType } = request;
  const call = { path, paths, method, contentType, retryStatuses };
  return { revision: view.revision, window, keepaliveMs, releaseAfterMs, ...call };
}
