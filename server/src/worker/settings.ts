// How one instance is fed: the part of a service's declaration that a worker acts on. All of it may
// change while calls are under way; a call keeps the settings it began with.

export interface CallTarget {
  /** Where a put without a path of its own goes; puts may name paths below it. */
  readonly path: string;
  /** Further paths that a put may name, each with everything below it. */
  readonly paths: readonly string[];
  readonly method: string;
  /** The content type where the put had none. */
  readonly contentType: string;
}

export interface WorkerSettings {
  /** The revision of the service that these are of; 0, the default, is none that is known. */
  readonly revision?: number;
  /** Most requests that the instance works on at a time. */
  readonly window: number;
  /** Longest call to the model; 0 = no limit. */
  readonly keepaliveMs: number;
  readonly request: CallTarget;
  /** Statuses to be counted and tried again beside those that always are. */
  readonly retryStatuses: readonly number[];
  /** How long after a call was abandoned a healthy check frees its slot. */
  readonly releaseAfterMs: number;
  /** What stops the model when a request that it works on is canceled. */
  readonly cancel?: CancelSettings | undefined;
}

export interface CancelSettings {
  /** Called on the instance; an answer of 2xx says that it is free of the request. undefined: there
   * is nothing to call. */
  readonly path: string | undefined;
  readonly method: string;
  /** How long the model has to be free. */
  readonly graceMs: number;
  /** The instance is ended when it is not free by then. */
  readonly endsInstance: boolean;
}
