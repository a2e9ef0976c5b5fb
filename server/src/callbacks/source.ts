// What callbacks need of the rest of Sluice, one object for each service whose queues are open. The
// composition root makes them of the queues, the engine and the desk of requests.

import type { RequestInfo } from '@sluice/sdk/wire';
import type { AllowList } from '../kernel/address-filter.ts';
import type { OutboxEntry } from '../queue/transition.ts';

export interface CallbackSettings {
  readonly allow: AllowList;
  /** A larger result is left out of the message. */
  readonly resultBytesMax: number;
  /** How long one attempt may take, all in all. */
  readonly timeoutMs: number;
}

/** A request at rest, as its callback tells of it. */
export interface Told {
  /** As the API shows it. */
  readonly request: RequestInfo;
  /** undefined: there is none, or it is larger than asked for. */
  readonly result:
    | { readonly contentType: string | undefined; readonly payload: Uint8Array }
    | undefined;
}

export interface CallbackSource {
  /** Of the service; never that of another one, not even of the same name. */
  readonly number: number;
  settings(): CallbackSettings;
  /** Callbacks that were neither delivered nor given up, by index, ascending from `from`. */
  pending(from: number, limit: number): Promise<readonly OutboxEntry[]>;
  /** Delivered or given up: durable when it resolves. */
  done(index: number): Promise<void>;
  /** undefined: it is not at rest, or its record is gone. */
  tell(index: number, resultBytesMax: number): Promise<Told | undefined>;
}
