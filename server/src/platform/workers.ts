// Workers on other machines: what they are told of their service, and how they stand beside the
// instances of this machine in every list.

import { type EndedCall, type InstanceInfo, PlatformError } from '@sluice/sdk/wire';
import type { Broker } from '../broker/broker.ts';
import type { InstanceHost } from '../http/api/administrator.ts';
import type { ServiceTerms, WorkerDesk } from '../http/stream/calls.ts';
import { JoinedWorkers } from '../http/stream/joined.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Registry } from '../services/registry.ts';

/** What joins is told what its service declares, and recorded. */
export function workerDesk(parts: {
  readonly registry: Registry;
  readonly record: RecordEvent;
  /** A call to the model of a service has ended there. */
  readonly called: (service: string, call: EndedCall) => void;
  readonly clock: Clock;
  readonly log: Log;
}): WorkerDesk {
  const { registry, ...rest } = parts;
  const joined = new JoinedWorkers(rest);
  return { joined, terms: (service) => termsOf(registry, service) };
}

/** The instances of this machine, and behind them those that have joined. */
export function withJoined(
  own: InstanceHost,
  { joined }: WorkerDesk,
  broker: Pick<Broker, 'find'>,
): InstanceHost {
  const list = (service: string): readonly InstanceInfo[] => {
    if (!joined.has(service)) return [];
    const queues = broker.find(service);
    if (queues === undefined) return joined.list(service, () => 0).map(waiting);
    const busy = new Map(
      queues
        .view('input')
        .consumers.filter(({ gid }) => gid === service)
        .map(({ uid, window, slots }) => [uid, window - slots]),
    );
    return joined.list(service, (instance) => busy.get(instance) ?? 0);
  };
  return {
    ...own,
    list: (service) => [...own.list(service), ...list(service)],
    replace: (service, instance, how) =>
      own.replace(service, instance, how) || joined.replace(service, instance, how),
    logs: async (service, instance, request) => {
      const found = list(service).find(({ name }) => name === instance);
      if (found === undefined) return own.logs(service, instance, request);
      const text = `${instance} runs on ${found.host}: its log is there, with its worker`;
      throw new PlatformError('not_found', text);
    },
  };
}

/** While its service is stopped a worker says nothing, because nobody there would hear it. */
function waiting(instance: InstanceInfo): InstanceInfo {
  if (!instance.ready) return instance;
  return { ...instance, state: 'Pending', message: 'its service is stopped', ready: false };
}

function termsOf(registry: Registry, service: string): ServiceTerms | undefined {
  const view = registry.get(service);
  if (view?.declared === undefined) return undefined;
  const { window, keepaliveMs, request, retryStatuses, releaseAfterMs, cancel } = view.declared;
  const { path, paths, method, contentType } = request;
  const call = { path, paths, method, contentType, retryStatuses, cancel };
  const { resultBytesMax = 0, input = 'bytes' } = registry.find(service)?.requests ?? {};
  const bodies = { keptBytesMax: resultBytesMax, input };
  return { revision: view.revision, window, keepaliveMs, releaseAfterMs, ...call, ...bodies };
}
