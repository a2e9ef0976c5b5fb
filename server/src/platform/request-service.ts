// What the request API of a server serves: the desk of requests with their events and callbacks,
// and what is counted of it.

import { PlatformError } from '@sluice/sdk/wire';
import type { Broker } from '../broker/broker.ts';
import { withRestingRequests } from '../broker/resting-requests.ts';
import { ServiceQueues } from '../broker/service-queues.ts';
import type { Callbacks } from '../callbacks/callbacks.ts';
import { scheduleMsMax } from '../callbacks/schedule.ts';
import type { Engine } from '../engine/engine.ts';
import type { Directory } from '../http/directory.ts';
import type { RequestService } from '../http/edge.ts';
import { RequestMeters } from '../http/requests/meters.ts';
import type { BodyHost } from '../http/spill.ts';
import type { StreamRequests } from '../http/stream/follows.ts';
import type { InstanceManager } from '../instances/manager.ts';
import type { Clock } from '../kernel/clock.ts';
import { version } from '../requests/version.ts';
import type { Registry } from '../services/registry.ts';
import type { Bodies } from './bodies.ts';
import type { CallbackHub } from './callbacks.ts';
import type { Following } from './following.ts';
import { createRequests, type Requests } from './requests.ts';

export interface RequestServiceParts {
  readonly engine: Engine;
  readonly registry: Registry;
  readonly broker: Broker;
  readonly directory: Directory;
  readonly instances: InstanceManager;
  readonly following: Following;
  readonly bodies: Bodies;
  readonly callbacks: Callbacks;
  readonly hub: CallbackHub;
  readonly clock: Clock;
}

/** What other protocols take of it. */
interface EdgeParts {
  readonly streams: StreamRequests;
  /** Where bodies lie that are too large for the queues. */
  readonly store: BodyHost;
}

/** With what it has to be told: turns of the queues, services that are gone. */
export function createRequestService(
  parts: RequestServiceParts,
): RequestService & EdgeParts & Pick<Requests, 'turned' | 'deleted'> {
  const { engine, registry, broker, directory, instances, following } = parts;
  const { bodies, callbacks, hub, clock } = parts;
  const meters = new RequestMeters();
  const { desk, turned, deleted } = createRequests({
    registry,
    broker,
    instances,
    find: (service) => {
      const open = broker.find(service);
      if (open !== undefined) return open;
      const closed = directory.find(service)?.queues;
      const number = registry.get(service)?.number;
      if (closed === undefined || number === undefined) {
        throw new PlatformError('not_found', `there is no service ${service}`);
      }
      // Requests of a service that is out of use can still be looked at.
      return withRestingRequests({ engine, number, closed });
    },
    firstOutputOf: (request) => following.book.firstOutputAt(request),
    progressOf: (service, deliveryId) => {
      const queues = broker.find(service);
      return queues instanceof ServiceQueues ? queues.progressOf(deliveryId) : undefined;
    },
    callbackMs: scheduleMsMax,
    checkCallback: (service, wish) => hub.check(service, wish),
    checkAddress: (service, url) => bodies.checkAddress(service, url),
    clock,
  });
  const events = following.follower(desk, version);
  return {
    desk,
    events,
    streams: following.streams(desk, events),
    store: bodies.store,
    fetchBody: (service, url, signal) => bodies.fetch(service, url, signal),
    callbacks,
    meters,
    turned,
    deleted: (service) => {
      deleted(service);
      meters.deleted(service);
    },
  };
}
