// The autoscaler among the other parts: what it is told by them, and whom it tells.

import type { EndedCall } from '@sluice/sdk/wire';
import { Scaler } from '../autoscaler/scaler.ts';
import type { Broker } from '../broker/broker.ts';
import type { Environment } from '../config/places.ts';
import { queryUtilization } from '../instances/host/accelerators.ts';
import type { InstanceManager } from '../instances/manager.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { ServiceRuntime } from '../services/ports.ts';
import type { Registry } from '../services/registry.ts';

/** What runs instances, for the registry: whatever that wants of a service is noticed. */
export function noticing(
  instances: ServiceRuntime,
  changed: (service: string) => void,
): ServiceRuntime {
  return {
    apply: async (wanted) => {
      await instances.apply(wanted);
      changed(wanted.name);
    },
    remove: (name) => instances.remove(name),
    hurry: (name) => instances.hurry(name),
    report: (name) => instances.report(name),
  };
}

interface CallListeners {
  readonly telemetry: Telemetry;
  readonly scaler?: Scaler;
}

/** A call to the model of a service has ended, here or on another machine. */
export function countCall(
  service: string,
  { outcome, durationMs }: EndedCall,
  { telemetry, scaler }: CallListeners,
): void {
  telemetry.inferenceDone(service, outcome, durationMs / 1000);
  // Others say nothing of how long work takes.
  if (outcome !== 'succeeded' && outcome !== 'failed') return;
  scaler?.served(service, durationMs);
}

/** Not started yet: before the instances of an earlier server are known there is nothing to say. */
export function createScaler(parts: {
  readonly registry: Registry;
  readonly broker: Broker;
  readonly instances: InstanceManager;
  readonly record: RecordEvent;
  /** Of this process: where the accelerators' tool is looked for. */
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}): Scaler {
  const { registry, broker, instances, record, environment, clock, log } = parts;
  return new Scaler({
    ports: {
      services: () => registry.scaled(),
      queue: (service) => {
        const queues = broker.find(service);
        if (queues === undefined) return undefined;
        const { waiting, backingOff, leased } = queues.view('input');
        return { waiting, backingOff, leased, puts: queues.counters('input').put };
      },
      instances: (service) => instances.status(service),
      usage: (service) => instances.usage(service),
      gpuPercent: async (service) => {
        const devices = instances.devices(service);
        if (![...devices.values()].some((indexes) => indexes.length > 0)) return new Map();
        return meanByInstance(devices, await queryUtilization({ environment, clock }));
      },
      cpuMillis: (service) => registry.get(service)?.declared?.resources.cpuMillis ?? 0,
      scale: (service, count, reason) => registry.scale(service, count, reason),
      whenInputComes: (service, fire) => broker.whenInputComes(service, fire),
      record,
    },
    clock,
    log,
  });
}

/** Instances of which an accelerator is not known are left out. */
export function meanByInstance(
  devices: ReadonlyMap<string, readonly number[]>,
  percents: ReadonlyMap<number, number>,
): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [instance, indexes] of devices) {
    const known = indexes.flatMap((index) => percents.get(index) ?? []);
    if (indexes.length === 0 || known.length < indexes.length) continue;
    found.set(instance, known.reduce((sum, one) => sum + one, 0) / known.length);
  }
  return found;
}
