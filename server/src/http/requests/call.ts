// One call of the request API on its way: what is known once its address and token have been looked
// at. Made by handler.ts, used by the functions that serve the routes.

import type { ServerResponse } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Bodies } from '../body.ts';
import type { Directory, Grant, HostedService } from '../directory.ts';
import type { RequestHead } from '../eas/call.ts';
import type { Polls } from '../eas/polls.ts';
import type { EdgeLimits } from '../limits.ts';
import type { EdgeRequest } from '../request.ts';
import type { BodyHost } from '../spill.ts';
import type { CallbackHost } from './callbacks.ts';
import type { FetchBody, FollowEvents, RequestHost } from './host.ts';
import type { RequestMeters } from './meters.ts';
import type { Waiters } from './waiting.ts';

/** What all calls share. */
export interface RequestParts {
  readonly desk: RequestHost;
  readonly events: FollowEvents;
  /** Where bodies lie that are too large for the queues; undefined: they are refused. */
  readonly store: BodyHost | undefined;
  /** undefined: bodies at addresses are not fetched here. */
  readonly fetchBody?: FetchBody | undefined;
  /** undefined: nothing sends callbacks. */
  readonly callbacks?: CallbackHost | undefined;
  readonly directory: Directory;
  readonly adminToken: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: EdgeLimits;
  /** The same as of the EAS protocol: bodies and polls have one limit together. */
  readonly bodies: Bodies;
  readonly polls: Polls;
  readonly meters: RequestMeters;
  readonly waiters: Waiters;
}

/** Where a call is aimed at, and what its caller may do. */
export interface RequestAim {
  readonly request: RequestHead;
  readonly service: HostedService;
  readonly grant: Grant;
  /** Of the address, by the names of the route, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Of a submission, what the model is called with below its own address. */
  readonly path: string | undefined;
  /** Behind the question mark, without it. */
  readonly query: string;
}

export interface RequestCall extends RequestAim {
  readonly request: EdgeRequest;
  readonly response: ServerResponse;
}
