// What runs the instances: the manager with its drivers, and the worker that feeds each instance
// from the queues of its service.

import { join } from 'node:path';
import type { EndedCall } from '@sluice/sdk/wire';
import type { Broker } from '../broker/broker.ts';
import { isLoopback } from '../config/address.ts';
import { ownProgram } from '../config/own-program.ts';
import type { Environment } from '../config/places.ts';
import type { InstanceHost } from '../http/api/administrator.ts';
import { ContainerDriver } from '../instances/container/driver.ts';
import { EndpointDriver } from '../instances/endpoint.ts';
import type { Feeder, FeedOrder } from '../instances/feeder.ts';
import { type GivenCapacity, measureCapacity } from '../instances/host/capacity.ts';
import { InstanceManager } from '../instances/manager.ts';
import type { ModelStore } from '../instances/model-store.ts';
import { Ports } from '../instances/port.ts';
import { ProcessDriver } from '../instances/process.ts';
import { ProcessorDriver } from '../instances/processor.ts';
import { infoOf } from '../instances/status.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { HttpModelClient } from '../worker/model-client.ts';
import type { ReportAddresses } from '../worker/report-desk.ts';
import { Worker } from '../worker/worker.ts';
import type { Bodies } from './bodies.ts';
import type { Following } from './following.ts';
import type { LaunchDesk } from './launches.ts';

export interface RuntimeOptions {
  readonly dataFolder: string;
  /** Of this process; model processes get an allow-listed part of it. */
  readonly environment: Environment;
  readonly broker: Broker;
  readonly record: RecordEvent;
  readonly launches: LaunchDesk;
  readonly following: Following;
  readonly bodies: Bodies;
  readonly models: ModelStore;
  /** A call to the model of a service has ended. */
  readonly called: (service: string, call: EndedCall) => void;
  /** What the machine has for instances, as far as it is not measured. */
  readonly capacity?: GivenCapacity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Not started yet. */
export function createInstances(options: RuntimeOptions): InstanceManager {
  const { dataFolder, environment, record, launches, clock, random, log } = options;
  const folder = join(dataFolder, 'instances');
  const containers = join(dataFolder, 'containers');
  const reportUrl = (): string | undefined => options.following.reports.url;
  const processes = { environment, reportUrl, ports: new Ports(), clock, log };
  const processors = new ProcessDriver({ ...processes, folder: join(dataFolder, 'processors') });
  return new InstanceManager({
    drivers: {
      process: new ProcessDriver({ ...processes, folder }),
      endpoint: new EndpointDriver(),
      container: new ContainerDriver({
        folder: containers,
        environment,
        reports: options.following.containerReports,
        clock,
        random,
        log,
      }),
      processor: new ProcessorDriver({
        processes: processors,
        models: options.models,
        program: ownProgram(),
      }),
    },
    makeFeeder: (order) => feederOf(order, options),
    capacity: () => measureCapacity({ given: options.capacity ?? {}, environment, clock }),
    record,
    rolloutFailed: launches.rolloutFailed,
    proven: launches.proven,
    earlier: launches.earlier,
    clock,
    random,
    log,
  });
}

/** The instances, as the administrative API looks at them. */
export function instanceHost(instances: InstanceManager): InstanceHost {
  return {
    list: (service) => instances.status(service).map(infoOf),
    logs: (service, instance, request) => instances.logs(service, instance, request),
    replace: (service, instance, how) => instances.replace(service, instance, how),
  };
}

/** A container and another machine have a loopback of their own. */
function reportsOf(
  { kind, instance, url }: FeedOrder,
  { reports, containerReports }: Following,
): ReportAddresses | undefined {
  if (kind === 'container') return containerReports.of(instance);
  return isLoopback(url.hostname) ? reports : undefined;
}

/** The worker of one instance. */
function feederOf(order: FeedOrder, options: RuntimeOptions): Feeder {
  const { broker, following, bodies, clock, random, log } = options;
  const { service, instance, url, settings, cutGraceMs, isTakenOver, end } = order;
  const queues = broker.find(service);
  if (queues === undefined) throw new Error(`instance ${instance} has no queues`);
  const model = new HttpModelClient({ origin: url.origin, clock });
  const worker = new Worker({
    service,
    instance,
    source: queues,
    model,
    basePath: url.pathname,
    settings,
    answerBytesMax: () => queues.view('sink').payloadBytesMax,
    cutGraceMs,
    news: following.news(service),
    bodies: bodies.of(service),
    reports: reportsOf(order, following),
    end,
    leftBehind: isTakenOver ? (queues.view('input').leftBehind.get(instance) ?? 0) : 0,
    clock,
    random,
    log: log.child({ service, instance }),
    observe: (call) => options.called(service, call),
  });
  return worker;
}
