// The requests of a service that is out of use, read straight from the engine: what is there can be
// looked at, and nothing changes. What only memory knew, such as deliveries of those that wait, is
// not told.

import type { Engine } from '../engine/engine.ts';
import type { QueueName } from '../queue/message.ts';
import type { Queues } from './queues.ts';
import type { Known, Requests } from './requests.ts';

export interface RestingOptions {
  readonly engine: Engine;
  /** Of the service. */
  readonly number: number;
  /** Its queues while they are closed: they say why all else is refused. */
  readonly closed: Queues;
}

/** Most records of one look. */
const listMax = 1_000;

/** Those queues, with requests that can be read. */
export function withRestingRequests(options: RestingOptions): Queues {
  const { closed } = options;
  return { ...closed, requests: { ...closed.requests, ...readable(options) } };
}

type Readable =
  | 'find'
  | 'live'
  | 'records'
  | 'lastIndex'
  | 'firstLive'
  | 'resultOf'
  | 'inSink'
  | 'departureOf'
  | 'deadWithin'
  | 'lastDead'
  | 'dead';

function readable({ engine, number: service, closed }: RestingOptions): Pick<Requests, Readable> {
  const refs = (queue: QueueName, from: number, below: number) =>
    Array.from({ length: Math.max(0, below - from) }, (_, at) => ({
      service,
      queue,
      index: from + at,
    }));
  const metas = async (queue: QueueName, from: number, below: number) =>
    (await engine.metas(refs(queue, from, below))).filter((meta) => meta !== undefined);
  const one = async (queue: QueueName, index: number) =>
    (await engine.payloads([{ service, queue, index }]))[0];
  const live = async (from: number, below: number): Promise<readonly Known[]> =>
    (await metas('input', from, below)).map((meta) => ({
      kind: 'live',
      meta,
      standing: { ...waits, index: meta.index },
    }));
  const records: Requests['records'] = (from, limit) =>
    engine.records(service, from, Math.min(limit, listMax));
  return {
    live,
    records,
    find: async (index) => {
      const [waiting] = await live(index, index + 1);
      if (waiting !== undefined) return waiting;
      const [record] = await records(index, 1);
      return record?.index === index ? { kind: 'rested', record } : undefined;
    },
    lastIndex: () => closed.view('input').lastIndex,
    firstLive: () => closed.view('input').firstIndex || Number.POSITIVE_INFINITY,
    resultOf: (index) => engine.recordResult(service, index),
    inSink: (index) => one('sink', index),
    departureOf: (index) => engine.departure(service, index),
    deadWithin: (from, below) => metas('inputRear', from, below),
    lastDead: () => closed.view('inputRear').lastIndex,
    dead: (rearIndex) => one('inputRear', rearIndex),
  };
}

/** How everything stands that is not at rest. */
const waits = {
  isRunning: false,
  position: 0,
  backingOffBefore: 0,
  mark: undefined,
  isDelayed: false,
  backoffMs: 0,
  isSuspect: false,
  hasPlace: true,
};
