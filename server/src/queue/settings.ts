// The settings of one service's queues, as the rules see them: checked numbers, no text, no
// defaults. They come from service.json and are kept with the service's definition.

export type DeadPolicy = 'Rear' | 'Drop';

export interface QueueSettings {
  /** Most messages: waiting + backing off + leased + reserved places. */
  readonly capacity: number;
  readonly payloadBytesMax: number;
  /** When full: evict the lowest index not under lease instead of refusing the put. */
  readonly autoEvict: boolean;
  /** How long a message may wait before it expires; 0 = for ever. */
  readonly expireMs: number;
}

export interface ServiceSettings {
  /** The spec declares a way to have instances, with `instance` > 0 or an autoscaler (rule 7). */
  readonly declaresInstances: boolean;
  readonly source: QueueSettings;
  readonly sink: QueueSettings;
  /** Repeated puts with a caller's request id answer the first index (rule 15). */
  readonly dedup: boolean;
  /** Deliveries that may end badly before a message is dead; 0 = unlimited. */
  readonly deliveryMax: number;
  /** Longest lease; 0 = no limit. */
  readonly idleMs: number;
  readonly deadPolicy: DeadPolicy;
  readonly deadNotice: boolean;
  readonly deadRetentionMs: number;
  readonly groupRetentionMs: number;
  /** How long a lease of the stream protocol survives the loss of its connection. */
  readonly resumeMs: number;
  /** How long an idempotency key is remembered. */
  readonly idempotencyMs: number;
  readonly recordRetentionMs: number;
  readonly recordCountMax: number;
  readonly recordBytesMax: number;
  /** Bytes of results of home `record` before such requests wait (rule 12). */
  readonly recordResultBytesMax: number;
}

/** The defaults of EAS and of the design: 230,399 messages of 8 KB in each queue. */
export const defaultSettings: ServiceSettings = {
  declaresInstances: false,
  source: { capacity: 230_399, payloadBytesMax: 8192, autoEvict: false, expireMs: 0 },
  sink: { capacity: 230_399, payloadBytesMax: 8192, autoEvict: false, expireMs: 0 },
  dedup: true,
  deliveryMax: 5,
  idleMs: 0,
  deadPolicy: 'Rear',
  deadNotice: true,
  deadRetentionMs: 7 * 24 * 3_600_000,
  groupRetentionMs: 600_000,
  resumeMs: 10_000,
  idempotencyMs: 24 * 3_600_000,
  recordRetentionMs: 24 * 3_600_000,
  recordCountMax: 1_000_000,
  recordBytesMax: 512 * 2 ** 20,
  recordResultBytesMax: 1024 * 2 ** 20,
};
