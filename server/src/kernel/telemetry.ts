// The one table of metric names, with base units and bounded labels (never a request id), and the
// registry that holds their values. The manual's page of metrics is made from the table.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface Metric {
  readonly kind: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

const queueLabels = ['service', 'queue'] as const;
const eventLabels = ['service', 'kind', 'what'] as const;

/** Every metric, by name. */
export type MetricName =
  | 'sluice_info'
  | 'sluice_queue_length'
  | 'sluice_queue_capacity'
  | 'sluice_queue_waiting'
  | 'sluice_queue_backing_off'
  | 'sluice_queue_leased'
  | 'sluice_queue_reserved'
  | 'sluice_queue_consumers'
  | 'sluice_messages_put_total'
  | 'sluice_messages_refused_total'
  | 'sluice_messages_repeated_total'
  | 'sluice_messages_delivered_total'
  | 'sluice_messages_completed_total'
  | 'sluice_messages_returned_total'
  | 'sluice_messages_dead_total'
  | 'sluice_messages_evicted_total'
  | 'sluice_messages_expired_total'
  | 'sluice_completions_stale_total'
  | 'sluice_requests_submitted_total'
  | 'sluice_request_waits'
  | 'sluice_callbacks_pending'
  | 'sluice_callback_attempts_total'
  | 'sluice_service_status'
  | 'sluice_instances'
  | 'sluice_instances_wanted'
  | 'sluice_instance_restarts'
  | 'sluice_window_slots'
  | 'sluice_window_busy'
  | 'sluice_events_total'
  | 'sluice_last_event_timestamp_seconds'
  | 'inference_request_duration_seconds'
  | 'sluice_event_loop_delay_seconds'
  | 'process_resident_memory_bytes'
  | 'nodejs_heap_size_used_bytes'
  | 'process_cpu_seconds_total';

export const metricTable: Readonly<Record<MetricName, Metric>> = {
  sluice_info: {
    kind: 'gauge',
    help: 'Always 1; version and engine are in the labels.',
    labels: ['version', 'engine'],
  },
  sluice_queue_length: {
    kind: 'gauge',
    help: 'Messages stored and visible.',
    labels: queueLabels,
  },
  sluice_queue_capacity: {
    kind: 'gauge',
    help: 'Most messages, reserved places included.',
    labels: queueLabels,
  },
  sluice_queue_waiting: {
    kind: 'gauge',
    help: 'Messages that could be delivered now.',
    labels: queueLabels,
  },
  sluice_queue_backing_off: {
    kind: 'gauge',
    help: 'Messages that wait for their next attempt.',
    labels: queueLabels,
  },
  sluice_queue_leased: {
    kind: 'gauge',
    help: 'Messages being worked on.',
    labels: queueLabels,
  },
  sluice_queue_reserved: {
    kind: 'gauge',
    help: 'Places kept for results of work under way (sink only).',
    labels: queueLabels,
  },
  sluice_queue_consumers: {
    kind: 'gauge',
    help: 'Open watches.',
    labels: queueLabels,
  },
  sluice_messages_put_total: {
    kind: 'counter',
    help: 'Messages accepted.',
    labels: queueLabels,
  },
  sluice_messages_refused_total: {
    kind: 'counter',
    help: 'Puts refused: queue full or ended, payload too large, no room on the disk.',
    labels: queueLabels,
  },
  sluice_messages_repeated_total: {
    kind: 'counter',
    help: 'Puts answered with the index of an earlier equal one.',
    labels: queueLabels,
  },
  sluice_messages_delivered_total: {
    kind: 'counter',
    help: 'Deliveries, repeated ones included.',
    labels: queueLabels,
  },
  sluice_messages_completed_total: {
    kind: 'counter',
    help: 'Messages done with: completed or committed.',
    labels: queueLabels,
  },
  sluice_messages_returned_total: {
    kind: 'counter',
    help: 'Deliveries that ended without completion; the message waits again.',
    labels: queueLabels,
  },
  sluice_messages_dead_total: {
    kind: 'counter',
    help: 'Messages out of deliveries.',
    labels: queueLabels,
  },
  sluice_messages_evicted_total: {
    kind: 'counter',
    help: 'Messages removed to make room for new ones.',
    labels: queueLabels,
  },
  sluice_messages_expired_total: {
    kind: 'counter',
    help: 'Messages that waited longer than they may.',
    labels: queueLabels,
  },
  sluice_completions_stale_total: {
    kind: 'counter',
    help: 'Completions refused because their delivery was no longer current.',
    labels: queueLabels,
  },
  sluice_requests_submitted_total: {
    kind: 'counter',
    help: 'Submissions over the request API: accepted, or repeated ones of a key used before.',
    labels: ['service', 'outcome'],
  },
  sluice_request_waits: {
    kind: 'gauge',
    help: 'Answers of the request API held back now: for results, changes and events.',
    labels: [],
  },
  sluice_callbacks_pending: {
    kind: 'gauge',
    help: 'Callbacks that were not delivered yet, of those in memory.',
    labels: ['service'],
  },
  sluice_callback_attempts_total: {
    kind: 'counter',
    help: 'Attempts to deliver callbacks: delivered, failed, given up, or to a closed address.',
    labels: ['service', 'outcome'],
  },
  sluice_service_status: {
    kind: 'gauge',
    help: 'Always 1; the label has the status word of the service.',
    labels: ['service', 'status'],
  },
  sluice_instances: {
    kind: 'gauge',
    help: 'Instances by state.',
    labels: ['service', 'state'],
  },
  sluice_instances_wanted: {
    kind: 'gauge',
    help: 'Instances that are wanted now: declared, or decided by the autoscaler.',
    labels: ['service'],
  },
  sluice_instance_restarts: {
    kind: 'gauge',
    help: 'Restarts of the instances that exist now.',
    labels: ['service'],
  },
  sluice_window_slots: {
    kind: 'gauge',
    help: 'Requests that the instances may work on at a time.',
    labels: ['service'],
  },
  sluice_window_busy: {
    kind: 'gauge',
    help: 'Requests that the instances work on.',
    labels: ['service'],
  },
  sluice_events_total: {
    kind: 'counter',
    help: 'What happened to services: updates, crashes, scaling, convictions.',
    labels: eventLabels,
  },
  sluice_last_event_timestamp_seconds: {
    kind: 'gauge',
    help: 'When each of these happened last, in seconds since 1970.',
    labels: eventLabels,
  },
  inference_request_duration_seconds: {
    kind: 'histogram',
    help: 'Time of one call to the model server, from sending to the whole answer.',
    labels: ['service_name', 'outcome'],
  },
  sluice_event_loop_delay_seconds: {
    kind: 'gauge',
    help: 'How late the event loop served what was due, in the last 10 s; quantile 1 = worst.',
    labels: ['quantile'],
  },
  process_resident_memory_bytes: {
    kind: 'gauge',
    help: 'Memory of the server process.',
    labels: [],
  },
  nodejs_heap_size_used_bytes: {
    kind: 'gauge',
    help: 'JavaScript heap in use.',
    labels: [],
  },
  process_cpu_seconds_total: {
    kind: 'counter',
    help: 'Processor time of the server process, user and system.',
    labels: [],
  },
};

export type PulledMetricName = Exclude<MetricName, 'inference_request_duration_seconds'>;

/** One value with its labels, in the order of the table. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number;
}

// From answers out of a cache to minutes: one step is at most a factor of 2.5.
const durationBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600,
];

/** The values of one server. Most are read when somebody asks; durations are reported. */
export class Telemetry {
  readonly #registry = new Registry();
  readonly #inference: Histogram;

  constructor() {
    const { help, labels } = metricTable.inference_request_duration_seconds;
    this.#inference = new Histogram({
      name: 'inference_request_duration_seconds',
      help,
      labelNames: [...labels],
      buckets: durationBuckets,
      registers: [this.#registry],
    });
  }

  /** Reads a metric anew whenever somebody asks for it. At most once for each name. */
  pull(name: PulledMetricName, read: () => Iterable<Sample>): void {
    const { kind, help, labels } = metricTable[name];
    const named = (sample: Sample): Record<string, string> =>
      Object.fromEntries(labels.map((label, at) => [label, sample.labels[at] ?? '']));
    const base = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (kind === 'gauge') {
      const gauge = new Gauge({
        ...base,
        collect: () => {
          gauge.reset();
          for (const sample of read()) gauge.set(named(sample), sample.value);
        },
      });
      return;
    }
    const counter = new Counter({
      ...base,
      collect: () => {
        counter.reset();
        for (const sample of read()) counter.inc(named(sample), sample.value);
      },
    });
  }

  /** A call to the model server has ended. `outcome`: succeeded, failed, retry or refused. */
  inferenceDone(service: string, outcome: string, seconds: number): void {
    this.#inference.observe({ service_name: service, outcome }, seconds);
  }

  /** The service is gone: its durations are dropped. */
  async forget(service: string): Promise<void> {
    const { values } = await this.#inference.get();
    const outcomes = new Set<string>();
    for (const { labels } of values) {
      if (labels.service_name === service) outcomes.add(String(labels.outcome));
    }
    for (const outcome of outcomes) this.#inference.remove({ service_name: service, outcome });
  }

  /** The text that Prometheus scrapes. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

/** The content type of `text`. */
export const metricsType: string = Registry.PROMETHEUS_CONTENT_TYPE;
