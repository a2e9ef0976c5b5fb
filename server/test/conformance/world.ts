// Builders for batches of transitions, and an engine driven as a broker would: epoch, running
// sequence, state after each batch.

import { expect } from 'vitest';
import type { AppendOutcome, Batch, Engine, Row } from '../../src/engine/engine.ts';
import type { MessageMeta, QueueName } from '../../src/queue/message.ts';
import { queueNumbers } from '../../src/queue/message.ts';
import type { RequestRecord } from '../../src/queue/record.ts';
import type { Mark, OutboxEntry, ServiceState, Transition } from '../../src/queue/transition.ts';

export const emptyState: ServiceState = {
  epoch: 0,
  lastIndexes: [0, 0, 0, 0],
  ended: [false, false, false, false],
  lastGroup: 0,
};

/** Payload bytes that differ from index to index. */
export function payloadOf(index: number, size = 20): Buffer {
  const payload = Buffer.alloc(size, index % 251);
  if (size >= 4) payload.writeUInt32LE(index >>> 0, 0);
  return payload;
}

export function metaOf(index: number, size = 20, more: Partial<MessageMeta> = {}): MessageMeta {
  return {
    index,
    id: `id-${index}`,
    callerId: false,
    tags: new Map(),
    priority: 0,
    size,
    bodyHash: 0xdead_beef,
    acceptedAt: 1_700_000_000_000 + index,
    expiresAt: 0,
    home: 'sink',
    path: undefined,
    contentType: undefined,
    owner: undefined,
    idempotencyKey: undefined,
    terms: undefined,
    source: 0,
    ...more,
  };
}

export function put(
  queue: QueueName,
  index: number,
  size = 20,
  more: Partial<MessageMeta> = {},
): Extract<Transition, { kind: 'put' }> {
  const message = { meta: metaOf(index, size, more), payload: payloadOf(index, size) };
  return { kind: 'put', queue, message };
}

export function markOf(deliveryId: number, more: Partial<Mark> = {}): Mark {
  return {
    state: 'leased',
    deliveryId,
    uid: 'worker-1',
    revision: 0,
    firstDeliveredAt: 1_700_000_000_500,
    deliveredAt: 1_700_000_000_500.25,
    deliveries: 1,
    bad: 0,
    deaths: 0,
    notBefore: 0,
    resumable: true,
    place: true,
    placeIndex: 0,
    outcomes: [],
    ...more,
  };
}

export function deliver(
  queue: QueueName,
  group: number,
  index: number,
  deliveryId: number,
  more: Partial<Mark> = {},
): Transition {
  return { kind: 'deliver', queue, group, index, mark: markOf(deliveryId, more) };
}

export function group(queue: QueueName, number: number, gid = `group-${number}`): Transition {
  return { kind: 'group', queue, group: number, gid, from: 1, usedAt: 7, resolved: new Map() };
}

export function recordOf(index: number, more: Partial<RequestRecord> = {}): RequestRecord {
  return {
    index,
    id: `id-${index}`,
    callerId: true,
    bodyHash: 1,
    owner: 'token-a',
    idempotencyKey: undefined,
    state: 'succeeded',
    cause: 'completed',
    acceptedAt: 1_700_000_000_000,
    firstDeliveredAt: 1_700_000_000_001,
    lastDeliveredAt: 1_700_000_000_002,
    firstOutputAt: 0,
    doneAt: 1_700_000_000_003,
    deliveries: 2,
    outcomes: [
      {
        deliveryId: 2 ** 40 + 3,
        uid: 'worker-2',
        revision: 0,
        deliveredAt: 5,
        endedAt: 6.5,
        counted: true,
        code: '504',
        reason: 'time-out',
      },
    ],
    uid: 'worker-1',
    revision: 0,
    sizeIn: 20,
    sizeOut: 30,
    priority: 2 ** 31 - 1,
    tags: new Map([['model', 'ocr']]),
    home: 'sink',
    path: undefined,
    terms: undefined,
    source: 0,
    contentType: undefined,
    resultIndex: 0,
    code: '200',
    reason: '',
    retainUntil: 0,
    after: undefined,
    ...more,
  };
}

export function remove(
  queue: QueueName,
  index: number,
  more: {
    record?: RequestRecord;
    source?: number;
    at?: number;
    outbox?: OutboxEntry | undefined;
  } = {},
): Transition {
  return {
    kind: 'remove',
    queue,
    index,
    cause: 'committed',
    at: more.at ?? 99,
    source: more.source ?? 0,
    record: more.record,
    outbox: more.outbox,
  };
}

/** One service on an engine, as a broker holds it. */
export class Writer {
  readonly engine: Engine;
  readonly service: number;
  state: ServiceState = emptyState;
  sequence = 0;

  constructor(engine: Engine, service = 7) {
    this.engine = engine;
    this.service = service;
  }

  /** Opens the service anew: all rows, and the state to go on from. */
  async recover(): Promise<readonly Row[]> {
    const rows = await recovered(this.engine, this.service);
    this.sequence = 0;
    this.state = emptyState;
    for (const row of rows) if (row.kind === 'state') this.state = row.state;
    return rows;
  }

  batch(transitions: readonly Transition[], more: Partial<Batch> = {}): Batch {
    this.sequence++;
    this.state = nextState(this.state, transitions);
    return {
      service: this.service,
      epoch: this.state.epoch,
      sequence: this.sequence,
      state: this.state,
      transitions,
      ...more,
    };
  }

  append(...transitions: readonly Transition[]): Promise<AppendOutcome> {
    return this.engine.append(this.batch(transitions));
  }

  /** Appends and expects it to be durable. */
  async write(...transitions: readonly Transition[]): Promise<void> {
    expect(await this.append(...transitions)).toEqual({ kind: 'durable' });
  }

  async payload(queue: QueueName, index: number): Promise<Buffer | undefined> {
    const [message] = await this.engine.payloads([{ service: this.service, queue, index }]);
    return message && bytes(message.payload);
  }
}

/** The same bytes as a Buffer, so that engines may hand out either. */
export function bytes(payload: Uint8Array): Buffer {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}

export async function recovered(engine: Engine, service: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for await (const chunk of engine.recover(service)) rows.push(...chunk);
  return rows;
}

export function rowsOf<Kind extends Row['kind']>(
  rows: readonly Row[],
  kind: Kind,
): readonly Extract<Row, { kind: Kind }>[] {
  return rows.filter((row): row is Extract<Row, { kind: Kind }> => row.kind === kind);
}

/** `queue index` of every message among the rows. */
export function messages(rows: readonly Row[]): readonly string[] {
  return rowsOf(rows, 'message').map((row) => `${row.queue} ${row.meta.index}`);
}

function nextState(state: ServiceState, transitions: readonly Transition[]): ServiceState {
  const last: [number, number, number, number] = [...state.lastIndexes];
  const ended: [boolean, boolean, boolean, boolean] = [...state.ended];
  let { epoch, lastGroup } = state;
  const seen = (queue: QueueName, index: number): void => {
    const number = queueNumbers[queue];
    last[number] = Math.max(last[number], index);
  };
  for (const transition of transitions) {
    if (transition.kind === 'put') seen(transition.queue, transition.message.meta.index);
    if (transition.kind === 'group') lastGroup = Math.max(lastGroup, transition.group);
    if (transition.kind === 'epoch') epoch = transition.epoch;
    if (transition.kind === 'end') ended[queueNumbers[transition.queue]] = transition.ended;
    if (transition.kind === 'complete' && transition.result !== undefined) {
      seen('sink', transition.result.meta.index);
    }
  }
  return { epoch, lastIndexes: last, ended, lastGroup };
}
