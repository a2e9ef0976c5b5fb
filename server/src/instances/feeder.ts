// What keeps a running copy supplied with requests, as far as its life concerns it. The composition
// root connects the worker.

import type { FeedSettings } from '../deployment/instances.ts';

/** With the revision of the service that they are of. */
export interface RevisedSettings extends FeedSettings {
  readonly revision: number;
}

export interface FeederView {
  readonly running: readonly {
    readonly deliveryId: number;
    readonly index: number;
    readonly id: string;
    readonly deliveries: number;
    /** Wall clock. */
    readonly startedAt: number;
  }[];
  /** Slots of abandoned calls that the copy may still work on. */
  readonly abandoned: number;
  readonly holds: readonly string[];
  /** Wall clock of the end of a refusal, 0 = none. */
  readonly refusedUntil: number;
  readonly isWatching: boolean;
  readonly lost: 'replaced' | 'deleted' | undefined;
}

export interface Feeder {
  start(): void;
  update(settings: RevisedSettings): void;
  holdBack(): void;
  letThrough(): void;
  /** A health check that began at `startedAt` (monotonic clock) has ended. */
  checked(ok: boolean, startedAt: number): void;
  /** Resolves when work under way has ended; once `signal` is aborted it is given back. */
  drain(signal: AbortSignal): Promise<void>;
  /** The copy is gone with what it held. */
  died(reason: string): Promise<void>;
  view(): FeederView;
}

export interface FeedOrder {
  readonly service: string;
  readonly instance: string;
  readonly url: URL;
  readonly settings: RevisedSettings;
  readonly cutGraceMs: number;
  /** The model server ran before this server did: it may still work on calls of an earlier one. */
  readonly isTakenOver: boolean;
  readonly kind: 'process' | 'container' | 'endpoint';
  /** Ends the copy, and tells of its death; undefined: it is not ours to end. */
  readonly end: ((reason: string) => void) | undefined;
}

/** Makes the feeder of one running copy. */
export type MakeFeeder = (order: FeedOrder) => Feeder;
