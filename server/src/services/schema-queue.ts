// The schema of the `queue` block.

import { z } from 'zod';
import { about, duration, ignored, whole } from './fields.ts';
import type { QueueFile } from './file.ts';

const side = {
  max_payload_size_kb: whole(1, 31 * 1024)
    .optional()
    .meta(
      about('Largest payload of a message. Decides how many fit the memory.', {
        unit: 'KB = 2^10 bytes',
        fallback: '8, unless max_length is set',
      }),
    ),
  max_length: whole(1, 2 ** 31 - 1)
    .optional()
    .meta(
      about('Most messages. Decides the largest payload; not with max_payload_size_kb.', {
        unit: 'messages',
        fallback: 'what fits the memory',
      }),
    ),
  auto_evict: z
    .boolean()
    .default(false)
    .meta(about('When full: the oldest message not under lease goes, instead of a refusal.')),
  expire: duration({
    fallback: 0,
    text: 'How long a message may wait before it expires; 0 = for ever.',
  }),
};

export const queueSchema: z.ZodType<QueueFile, Readonly<Record<string, unknown>>> = z.object({
  memory: whole(1, 2 ** 24)
    .default(4000)
    .meta(
      about('Room of both queues together; 10 % of it is kept free.', { unit: 'MB = 2^20 bytes' }),
    ),
  cpu: ignored('Processor cores of the queue.'),
  resource: ignored('Resource group of the queue.'),
  min_replica: whole(1, 1000)
    .default(1)
    .meta(about('Least queue instances. The embedded engine has one and shows one.')),
  source: z
    .object({
      ...side,
      dedup: z
        .boolean()
        .default(true)
        .meta(
          about('A put that repeats request id and body of an earlier one is answered, not kept.'),
        ),
    })
    .prefault({}),
  sink: z
    .object({
      memory_ratio: z
        .number()
        .min(0.000_001)
        .max(0.999_999)
        .default(0.5)
        .meta(about('Share of the memory for the sink; the input queue has the rest.')),
      ...side,
    })
    .prefault({}),
  max_delivery: whole(0, 1_000_000)
    .default(5)
    .meta(about('Deliveries that may end badly before a message is dead; 0 = unlimited.')),
  max_idle: duration({
    fallback: 0,
    text: 'Longest processing time of one delivery; 0 = no limit.',
  }),
  dead_message_policy: z
    .enum(['Rear', 'Drop'])
    .default('Rear')
    .meta(about('Where dead messages go: to the rear queue, or away.')),
  dead_notice: z
    .boolean()
    .default(true)
    .meta(about('A dead request leaves an empty result that says why, so that nobody waits.')),
  dead_retention: duration({
    fallback: '7d',
    leastMs: 1000,
    text: 'How long the rear queues keep dead messages.',
  }),
  group_retention: duration({
    fallback: '10m',
    text: 'How long a consumer group lives after its last consumer and lease.',
  }),
  resume: duration({
    fallback: '10s',
    text: 'How long a lease of the stream protocol survives the loss of its connection.',
  }),
  record: z
    .object({
      retention: duration({
        fallback: '24h',
        leastMs: 1000,
        text: 'How long the record of a finished request is kept.',
      }),
      idempotency: duration({
        fallback: '24h',
        leastMs: 1000,
        text: 'How long an idempotency key is remembered; records are kept as long too.',
      }),
      max_count: whole(1, 10_000_000)
        .default(1_000_000)
        .meta(about('Most records; the oldest go first.', { unit: 'records' })),
      max_size_mb: whole(1, 2 ** 20)
        .default(512)
        .meta(about('Most room for records.', { unit: 'MB = 2^20 bytes' })),
      max_result_size_mb: whole(1, 2 ** 24)
        .default(1024)
        .meta(
          about('Most room for results kept with their records; when full such requests wait.', {
            unit: 'MB = 2^20 bytes',
          }),
        ),
    })
    .prefault({}),
});
