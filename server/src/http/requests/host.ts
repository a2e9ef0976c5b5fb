// What the request API needs of the rest of Sluice: one desk that knows the requests of every
// service. Refusals are PlatformErrors.

import type { Readable } from 'node:stream';
import type { RequestEvent } from '@sluice/sdk/wire';
import type { BodyPlace } from '../../queue/terms.ts';
import type {
  DeadRequest,
  ListFilter,
  RedriveEdit,
  RequestPage,
  RequestResult,
  RequestView,
  Submission,
  Submitted,
} from '../../requests/request.ts';

/** Requests by service and public id; `undefined` = there is none, or no record of it any more. */
export interface RequestHost {
  /** Durable when it resolves. */
  submit(service: string, submission: Submission): Promise<Submitted>;
  view(service: string, id: string): Promise<RequestView | undefined>;
  /** Resolves once its version differs from `known`; as it is when the signal aborts. */
  changed(
    service: string,
    id: string,
    known: string,
    signal: AbortSignal,
  ): Promise<RequestView | undefined>;
  /** Resolves once it is at rest; as it is when the signal aborts. */
  rested(service: string, id: string, signal: AbortSignal): Promise<RequestView | undefined>;
  result(service: string, id: string): Promise<RequestResult | undefined>;
  /** Rejects with `conflict` when it had come to rest otherwise. */
  cancel(service: string, id: string, why: string): Promise<RequestView | undefined>;
  list(service: string, filter: ListFilter): Promise<RequestPage>;
  readonly dead: DeadHost;
}

/** What is out of deliveries, by its index in the rear queue of the input. */
export interface DeadHost {
  /** The newest first; indexes below `below`, 0 = from the newest. */
  list(
    service: string,
    page: { readonly below: number; readonly limit: number },
  ): Promise<DeadPage>;
  look(service: string, rearIndex: number): Promise<DeadLook | undefined>;
  /** Puts it anew and takes it out of the rear queue; `not_found` when it is not there. */
  redrive(service: string, rearIndex: number, edit: RedriveEdit): Promise<Submitted>;
  drop(service: string, rearIndexes: readonly number[]): Promise<void>;
}

export interface DeadPage {
  readonly dead: readonly DeadRequest[];
  /** `below` of the next page; 0 = there is none. */
  readonly next: number;
}

/** One of the dead, with all that is known. */
export interface DeadLook {
  readonly dead: DeadRequest;
  readonly payload: Uint8Array;
  /** Where its body lies when it is not the payload. */
  readonly body?: BodyPlace | undefined;
  /** What its last instance wrote latest, where that is known. */
  readonly log?: readonly string[];
}

/**
 * The events of a request behind the one with the id `after`, from the beginning without one. Ends
 * with the request, or when the signal aborts; throws `not_found` when there is no such request.
 */
export type FollowEvents = (
  service: string,
  id: string,
  after: string | undefined,
  signal: AbortSignal,
) => AsyncIterable<RequestEvent>;

/** Begins to fetch a body from its address, as the worker of the service would. Rejects when it may
 * not be had, or not now. */
export type FetchBody = (
  service: string,
  url: string,
  signal: AbortSignal,
) => Promise<{ readonly stream: Readable; readonly size: number | undefined }>;

/** What is different about nothing. */
export const noEdit: RedriveEdit = {
  contentType: undefined,
  tags: undefined,
  priority: undefined,
  path: undefined,
};
