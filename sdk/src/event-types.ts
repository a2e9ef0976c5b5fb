// What the administrative API tells of what happened to services and why, and of what their
// instances wrote: one JSON value a line.

/** service: declared, changed, stopped, started, deleted. rollout: an update of instances.
 * instance: started, ready, unhealthy, ended. scaling: the number of instances changed, or a change
 * was held back. message: convicted or cleared after instances died with it. callback: an address
 * was closed or opened again, a callback was given up. missed: no event, but the word that some are
 * not told. */
export const eventKinds = [
  'service',
  'rollout',
  'instance',
  'scaling',
  'message',
  'callback',
  'missed',
] as const;

export type EventInfoKind = (typeof eventKinds)[number];

export interface EventInfo {
  /** Rises over all services, not always by one; a start of the server skips up to a thousand. */
  readonly number: number;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Empty for `missed` events of all services. */
  readonly service: string;
  readonly kind: EventInfoKind;
  /** One word for what happened, for programs: `ready`, `scale-out`, `held`. */
  readonly what: string;
  /** A sentence that says what happened and why. */
  readonly text: string;
  /** The instance it is about; empty = about none. */
  readonly instance: string;
  /** Further facts, for programs. */
  readonly facts: Readonly<Record<string, string | number>>;
}

/** A line that an instance wrote. */
export interface LogLine {
  readonly instance: string;
  readonly line: string;
}
