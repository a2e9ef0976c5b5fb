// The `queue` block → the numbers that the rules of the queue work with, capacity included.

import type { QueueSettings, ServiceSettings } from '../queue/settings.ts';
import {
  capacityCeiling,
  capacityFor,
  payloadBytesCeiling,
  payloadFor,
  roomBytes,
  wholeShare,
} from './capacity.ts';
import type { QueueFile, QueueSideFile } from './file.ts';
import type { Problem } from './spelling.ts';

const payloadKbFallback = 8;
const mebibyte = 2 ** 20;

export interface QueueContext {
  /** The spec declares a way to have instances. */
  readonly declaresInstances: boolean;
  readonly problems: Problem[];
  readonly warnings: string[];
}

/** Settings for the broker; mistakes and warnings go to the context's lists. */
export function queueSettings(queue: QueueFile, context: QueueContext): ServiceSettings {
  if (queue.min_replica > 1) {
    context.warnings.push(
      `queue.min_replica: ${queue.min_replica} queue instances need the nats engine; ` +
        'the embedded engine has 1',
    );
  }
  const sinkShare = Math.round(queue.sink.memory_ratio * wholeShare);
  const sourceShare = wholeShare - sinkShare;
  return {
    declaresInstances: context.declaresInstances,
    source: sideSettings('source', queue.source, roomBytes(queue.memory, sourceShare), context),
    sink: sideSettings('sink', queue.sink, roomBytes(queue.memory, sinkShare), context),
    dedup: queue.source.dedup,
    deliveryMax: queue.max_delivery,
    idleMs: queue.max_idle,
    deadPolicy: queue.dead_message_policy,
    deadNotice: queue.dead_notice,
    deadRetentionMs: queue.dead_retention,
    groupRetentionMs: queue.group_retention,
    resumeMs: queue.resume,
    idempotencyMs: queue.record.idempotency,
    recordRetentionMs: queue.record.retention,
    recordCountMax: queue.record.max_count,
    recordBytesMax: queue.record.max_size_mb * mebibyte,
    recordResultBytesMax: queue.record.max_result_size_mb * mebibyte,
  };
}

function sideSettings(
  side: 'source' | 'sink',
  file: QueueSideFile,
  room: bigint,
  context: QueueContext,
): QueueSettings {
  const rest = { autoEvict: file.auto_evict, expireMs: file.expire };
  const path = `queue.${side}`;
  if (file.max_length !== undefined) {
    if (file.max_payload_size_kb !== undefined) {
      context.problems.push({
        path: `${path}.max_payload_size_kb`,
        message: `can't stand together with ${path}.max_length; each follows from the other`,
      });
    }
    const payloadBytesMax = payloadFor(room, file.max_length);
    if (payloadBytesMax < 1) {
      context.problems.push({
        path: `${path}.max_length`,
        message: `leaves no byte for a payload; at most ${lengthCeiling(room)} fit`,
      });
    }
    return { capacity: file.max_length, payloadBytesMax, ...rest };
  }
  const payloadBytesMax = (file.max_payload_size_kb ?? payloadKbFallback) * 1024;
  const capacity = capacityFor(room, payloadBytesMax);
  if (capacity < 1) context.problems.push(payloadProblem(path, file, room));
  return { capacity, payloadBytesMax, ...rest };
}

const lengthCeiling = (room: bigint): number =>
  Math.max(0, Math.min(Number(room) - 1, capacityCeiling));

/** Two payloads must fit: one message, and the one that the formula takes off. */
function payloadProblem(path: string, file: QueueSideFile, room: bigint): Problem {
  const largestKb = Math.min(Number(room / 2048n), payloadBytesCeiling / 1024);
  if (largestKb < 1) {
    return { path: 'queue.memory', message: `is too small: ${path} could not hold one message` };
  }
  const fits = `at most ${largestKb} KB fit the memory of this queue`;
  return file.max_payload_size_kb === undefined
    ? { path: `${path}.max_payload_size_kb`, message: `is 8 when not given, but ${fits}` }
    : { path: `${path}.max_payload_size_kb`, message: `is too large: ${fits}` };
}
