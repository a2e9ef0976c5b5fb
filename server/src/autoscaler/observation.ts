// What the decision looks at: one service at one moment, as plain data. Who makes it has measured
// everything; nothing here knows how.

/** The instances of a service, counted by what they are up to. */
export interface InstanceCounts {
  /** They take work, or are only too busy for their health check. */
  readonly ready: number;
  /** Of each one that starts, or whose image is being fetched: for how long already, in ms. */
  readonly startingForMs: readonly number[];
  /** They hold requests, ready or not; those on their way out are not counted. */
  readonly working: number;
  /** They ended by themselves before they were ever ready, and will be started anew. */
  readonly crashing: number;
  /** They wait for room on the machine, or for something that is missing. */
  readonly pending: number;
  /** Why they crash or wait, in the words of one of them. */
  readonly trouble: string;
}

/** What one strategy measures now. */
export type Reading =
  /** One figure for the service that its instances share: requests that wait, requests a second. */
  | { readonly kind: 'shared'; readonly total: number }
  /** One figure for the service as a whole, whatever the number of instances. */
  | { readonly kind: 'whole'; readonly total: number }
  /** A figure of each instance: the sum of those that are known, and how many are. */
  | {
      readonly kind: 'each';
      readonly sum: number;
      readonly known: number;
      /** Ready instances whose figure is not known, and why of one of them. */
      readonly missing: number;
      readonly why: string;
    }
  /** The time that requests wait: worked out from the observation. */
  | { readonly kind: 'wait' }
  /** Not known at all, and why. */
  | { readonly kind: 'unknown'; readonly why: string };

/** How long the model takes for a request, while it works on as many as it now does. */
export interface ServiceTime {
  readonly meanMs: number;
  /** Variance divided by the square of the mean: 0 = always the same, 1 = exponential. */
  readonly squaredVariation: number;
}

export interface Observation {
  /** Instances that are wanted now. */
  readonly count: number;
  /** Requests that one instance works on at a time. */
  readonly window: number;
  /** Requests that wait or back off; neither running ones nor dead ones. */
  readonly backlog: number;
  /** Requests that are being worked on. */
  readonly leased: number;
  /** Puts so far: whether any came since the last look. */
  readonly puts: number;
  readonly putsPerSecond: number;
  readonly instances: InstanceCounts;
  /** undefined: none has ended yet, and none is under way. */
  readonly serviceTime: ServiceTime | undefined;
  /** From the start of an instance until it is ready; undefined: none has been seen. */
  readonly startUpMs: number | undefined;
  /** One for each strategy of the policy, in its order. */
  readonly readings: readonly Reading[];
}
