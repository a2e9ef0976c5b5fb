// The metrics of queues, instances and the process, read from the parts whenever somebody asks.

import type { InstanceInfo } from '@sluice/sdk/wire';
import type { QueueCounters, QueueView } from '../../broker/queues.ts';
import type { LoopDelay } from '../../kernel/loop-delay.ts';
import type { PulledMetricName, Sample, Telemetry } from '../../kernel/telemetry.ts';
import { queueNames } from '../../queue/message.ts';
import type { Administration } from './administration.ts';

const ofViews: readonly (readonly [PulledMetricName, (view: QueueView) => number])[] = [
  ['sluice_queue_length', (view) => view.length],
  ['sluice_queue_capacity', (view) => view.capacity],
  ['sluice_queue_waiting', (view) => view.waiting],
  ['sluice_queue_backing_off', (view) => view.backingOff],
  ['sluice_queue_leased', (view) => view.leased],
  ['sluice_queue_reserved', (view) => view.reserved],
  ['sluice_queue_consumers', (view) => view.consumers.length],
];

const ofCounters: readonly (readonly [PulledMetricName, keyof QueueCounters])[] = [
  ['sluice_messages_put_total', 'put'],
  ['sluice_messages_refused_total', 'refused'],
  ['sluice_messages_repeated_total', 'repeated'],
  ['sluice_messages_delivered_total', 'delivered'],
  ['sluice_messages_completed_total', 'completed'],
  ['sluice_messages_returned_total', 'returned'],
  ['sluice_messages_dead_total', 'dead'],
  ['sluice_messages_evicted_total', 'evicted'],
  ['sluice_messages_expired_total', 'expired'],
  ['sluice_completions_stale_total', 'stale'],
];

/** How often something has happened to a service, and when last by the wall clock. */
interface Tally {
  readonly service: string;
  readonly kind: string;
  readonly what: string;
  readonly count: number;
  readonly lastAt: number;
}

export interface MetricSources {
  readonly administration: Administration;
  readonly events: { tallies(): Iterable<Tally> };
  readonly loopDelay: LoopDelay;
  /** undefined: no request API here. */
  readonly requests?: RequestFigures;
  /** undefined: nothing sends callbacks. */
  readonly callbacks?: CallbackFigures;
}

/** What whoever sends callbacks counts, by service. */
export interface CallbackFigures {
  observed(): Iterable<{
    readonly service: string;
    readonly pending: number;
    /** By outcome, since the start. */
    readonly attempts: ReadonlyMap<string, number>;
  }>;
}

/** What the request API counts. */
export interface RequestFigures {
  readonly waiting: number;
  counts(): Iterable<readonly [service: string, outcome: string, count: number]>;
}

/** Connects the table of metrics to the parts. Once for each Telemetry. */
export function pullMetrics(telemetry: Telemetry, sources: MetricSources): void {
  const { administration, loopDelay } = sources;
  for (const [name, read] of ofViews) {
    telemetry.pull(name, () =>
      eachQueue(administration, (queues, queue) => read(queues.view(queue))),
    );
  }
  for (const [name, field] of ofCounters) {
    telemetry.pull(name, () =>
      eachQueue(administration, (queues, queue) => queues.counters(queue)[field]),
    );
  }
  pullInstances(telemetry, administration);
  pullEvents(telemetry, sources);
  if (sources.requests !== undefined) pullRequests(telemetry, sources, sources.requests);
  if (sources.callbacks !== undefined) pullCallbacks(telemetry, sources.callbacks);
  pullProcess(telemetry, administration, loopDelay);
}

type ReadQueue = (
  queues: NonNullable<ReturnType<Administration['observed']>[number]['queues']>,
  queue: (typeof queueNames)[number],
) => number;

function* eachQueue(administration: Administration, read: ReadQueue): Generator<Sample> {
  for (const { name, queues } of administration.observed()) {
    if (queues === undefined) continue;
    for (const queue of queueNames) yield { labels: [name, queue], value: read(queues, queue) };
  }
}

function pullInstances(telemetry: Telemetry, administration: Administration): void {
  telemetry.pull('sluice_instances', function* () {
    for (const { name, instances } of administration.observed()) {
      const states = new Map<string, number>();
      for (const { state } of instances) states.set(state, (states.get(state) ?? 0) + 1);
      for (const [state, value] of states) yield { labels: [name, state], value };
    }
  });
  telemetry.pull('sluice_instances_wanted', () =>
    administration.observed().map(({ name, wanted }) => ({ labels: [name], value: wanted })),
  );
  telemetry.pull('sluice_service_status', () =>
    administration.observed().map(({ name, status }) => ({ labels: [name, status], value: 1 })),
  );
  const sum = (name: PulledMetricName, read: (instance: InstanceInfo) => number): void =>
    telemetry.pull(name, () =>
      administration.observed().map((service) => ({
        labels: [service.name],
        value: service.instances.reduce((total, instance) => total + read(instance), 0),
      })),
    );
  sum('sluice_instance_restarts', (instance) => instance.restarts);
  sum('sluice_window_slots', (instance) => instance.window);
  sum('sluice_window_busy', (instance) => instance.busy);
}

/** Of services that there are; what happened to others, their events still tell for a while. */
function pullEvents(telemetry: Telemetry, { administration, events }: MetricSources): void {
  const each = (name: PulledMetricName, read: (tally: Tally) => number): void =>
    telemetry.pull(name, function* () {
      const known = new Set(administration.observed().map((service) => service.name));
      for (const tally of events.tallies()) {
        if (!known.has(tally.service)) continue;
        yield { labels: [tally.service, tally.kind, tally.what], value: read(tally) };
      }
    });
  each('sluice_events_total', ({ count }) => count);
  each('sluice_last_event_timestamp_seconds', ({ lastAt }) => lastAt / 1000);
}

function pullRequests(
  telemetry: Telemetry,
  { administration }: MetricSources,
  requests: RequestFigures,
): void {
  telemetry.pull('sluice_request_waits', () => [{ labels: [], value: requests.waiting }]);
  telemetry.pull('sluice_requests_submitted_total', function* () {
    const known = new Set(administration.observed().map((service) => service.name));
    for (const [service, outcome, value] of requests.counts()) {
      if (known.has(service)) yield { labels: [service, outcome], value };
    }
  });
}

function pullCallbacks(telemetry: Telemetry, callbacks: CallbackFigures): void {
  telemetry.pull('sluice_callbacks_pending', function* () {
    for (const { service, pending } of callbacks.observed()) {
      yield { labels: [service], value: pending };
    }
  });
  telemetry.pull('sluice_callback_attempts_total', function* () {
    for (const { service, attempts } of callbacks.observed()) {
      for (const [outcome, value] of attempts) yield { labels: [service, outcome], value };
    }
  });
}

function pullProcess(
  telemetry: Telemetry,
  administration: Administration,
  loopDelay: LoopDelay,
): void {
  const one = (value: number): Sample[] => [{ labels: [], value }];
  telemetry.pull('sluice_info', () => {
    const { version, engine } = administration.server();
    return [{ labels: [version, engine], value: 1 }];
  });
  telemetry.pull('sluice_event_loop_delay_seconds', () => {
    const { p50Ms, p99Ms, maxMs } = loopDelay.figures();
    return [
      { labels: ['0.5'], value: p50Ms / 1000 },
      { labels: ['0.99'], value: p99Ms / 1000 },
      { labels: ['1'], value: maxMs / 1000 },
    ];
  });
  telemetry.pull('process_resident_memory_bytes', () => one(process.memoryUsage.rss()));
  telemetry.pull('nodejs_heap_size_used_bytes', () => one(process.memoryUsage().heapUsed));
  telemetry.pull('process_cpu_seconds_total', () => {
    const { user, system } = process.cpuUsage();
    return one((user + system) / 1e6);
  });
}
