// What happened to a service and why, for its owner: one entry for each decision that changed
// something or was held back. The parts record, whoever keeps events decides where they go.

/** What an event is about. */
export type EventKind =
  /** Declared, changed, switched back, stopped, started, deleted. */
  | 'service'
  /** An update of instances: begun, done, failed and rolled back. */
  | 'rollout'
  /** An instance: started, ready, unhealthy, ended, crash loop, draining, gone, joined. */
  | 'instance'
  /** The number of instances was changed, or a change was held back. */
  | 'scaling'
  /** A message that was convicted or cleared after instances died with it. */
  | 'message'
  /** Callbacks: an address was closed or opened again, one was given up. */
  | 'callback';

export interface ServiceEvent {
  readonly service: string;
  readonly kind: EventKind;
  /** One word for the thing that happened, for programs: `ready`, `scale-out`, `held`. */
  readonly what: string;
  /** A sentence that says what happened and why. */
  readonly text: string;
  /** The instance it is about, if it is about one. */
  readonly instance?: string;
  /** Further facts, for programs. */
  readonly facts?: Readonly<Record<string, string | number>>;
}

/** Takes events; never throws and never waits. */
export type RecordEvent = (event: ServiceEvent) => void;
