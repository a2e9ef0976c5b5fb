// What a service lets its submitters ask for, and how their bodies reach the model.

export interface RequestSettings {
  /** Most bytes of a body; what the queue does not take goes into a file. */
  readonly bytesMax: number;
  /** Most bytes of a result of home `record`. */
  readonly resultBytesMax: number;
  /** Whether the model gets the bytes of a body that lies at an address, or its address. */
  readonly input: 'bytes' | 'address';
  /** What becomes of a request whose submitter leaves while it waits for the result. */
  readonly onLeave: 'keep' | 'cancel';
  readonly fetch: FetchSettings;
  readonly callbacks: CallbackPolicy;
}

/** Where bodies at addresses may be fetched from. */
export interface FetchSettings {
  /** Networks and host patterns that are allowed beside the internet. */
  readonly allow: readonly string[];
  /** Buckets that are read with the server's credentials. */
  readonly buckets: readonly string[];
}

/** Where callbacks may go, and what they may carry. */
export interface CallbackPolicy {
  /** Networks and host patterns that are allowed beside the internet. */
  readonly allow: readonly string[];
  /** A larger result is not in the callback itself. */
  readonly resultBytesMax: number;
  /** Of one attempt. */
  readonly timeoutMs: number;
}
