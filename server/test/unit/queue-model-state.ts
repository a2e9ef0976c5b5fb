// What the plain model of the rules holds: messages with a mark for each group, and consumers.

export type ModelQueueName = 'input' | 'sink';

export interface ModelLease {
  readonly token: number;
  readonly holder: string;
  /** Monotonic: before it, taking the lease away for idleness is wrong; after `idleDueAt` overdue. */
  readonly idleFrom: number;
  idleDueAt: number;
  /** Monotonic: its connection is lost and it waits to be resumed until then; 0 = connected. */
  resumeBy: number;
}

export interface ModelMark {
  state: 'leased' | 'returned' | 'committed';
  lease: ModelLease | undefined;
  deliveries: number;
  bad: number;
  /** Instances of the working group that died with it; from two on it may have no company. */
  deaths: number;
  notBefore: number;
  lastToken: number;
  /** Who gave it back last by a negative commit. */
  returnedBy: string;
}

export interface ModelMessage {
  readonly index: number;
  readonly id: string;
  readonly body: string;
  readonly tag: string;
  readonly priority: number;
  readonly home: 'sink' | 'record';
  readonly expiresAt: number;
  /** Wall clock: over by then, also while it is leased; 0 = never. */
  readonly finishBy: number;
  readonly marks: Map<string, ModelMark>;
  /** Of an input message: its place in the sink, then the index of the result that used it. */
  place: 'none' | 'held' | number;
}

export interface ModelConsumer {
  readonly key: string;
  readonly queue: ModelQueueName;
  readonly gid: string;
  readonly kind: 'eas' | 'stream' | 'worker';
  readonly window: number;
  readonly tag: string;
  readonly autoCommit: boolean;
  open: boolean;
  /** It said `Shutdown`: nothing more until it comes back. */
  leaving: boolean;
  /** Tokens of leases that were taken away and of which it has not said that it is free. */
  readonly occupied: Set<number>;
  /** What a takeover sends again, whatever else waits, and though it may have expired. */
  readonly again: Set<number>;
  /** Monotonic: it lost its connection and may come back until then. */
  lostUntil: number;
}

export interface ModelQueue {
  readonly name: ModelQueueName;
  messages: ModelMessage[];
  lastIndex: number;
  ended: boolean;
  readonly groups: Set<string>;
}

export interface ModelRest {
  readonly id: string;
  readonly state: string;
  /** 0 = none. */
  readonly result: number;
  /** Dead because an instance died with it alone. */
  readonly isConvicted: boolean;
}

export class ModelError extends Error {}

export function fact(holds: boolean, message: string): asserts holds {
  if (!holds) throw new ModelError(message);
}

export interface Moment {
  readonly mono: number;
  readonly wall: number;
}

export function isLeased(message: ModelMessage): boolean {
  return [...message.marks.values()].some((mark) => mark.state === 'leased');
}

export function isBefore(one: ModelMessage, other: ModelMessage): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority;
  return one.index < other.index;
}

export function markOf(message: ModelMessage, gid: string): ModelMark {
  const known = message.marks.get(gid);
  if (known !== undefined) return known;
  const fresh: ModelMark = {
    state: 'returned',
    lease: undefined,
    deliveries: 0,
    bad: 0,
    deaths: 0,
    notBefore: 0,
    lastToken: 0,
    returnedBy: '',
  };
  message.marks.set(gid, fresh);
  return fresh;
}

export function newQueue(name: ModelQueueName): ModelQueue {
  return { name, messages: [], lastIndex: 0, ended: false, groups: new Set() };
}
