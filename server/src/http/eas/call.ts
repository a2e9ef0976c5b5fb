// One EAS operation on its way: what the edge knows once address, query, service and token have
// been looked at. Made by handler.ts, used by the operations.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { QueueName } from '../../queue/message.ts';
import type { Bodies } from '../body.ts';
import type { Directory, Grant, HostedService } from '../directory.ts';
import type { EdgeLimits } from '../limits.ts';
import type { EdgeRequest } from '../request.ts';
import type { WebSockets } from '../socket.ts';
import type { BodyHost } from '../spill.ts';
import type { Polls } from './polls.ts';
import type { Query } from './query.ts';
import type { Watches } from './watches.ts';

/** What all operations share. */
export interface EasParts {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: EdgeLimits;
  /** The kind of storage, for the attributes. */
  readonly backend: string;
  readonly adminToken: string | undefined;
  readonly bodies: Bodies;
  /** Where bodies lie that are too large for the queues; undefined: there are none. */
  readonly store?: BodyHost | undefined;
  readonly polls: Polls;
  readonly watches: Watches;
  readonly webSockets: WebSockets;
}

/** The head of a request, whoever read it. */
export type RequestHead = Pick<IncomingMessage, 'method' | 'url' | 'headers'>;

/** Where an operation is aimed at, and what its caller may do. */
export interface EasAim {
  readonly request: RequestHead;
  readonly query: Query;
  readonly service: HostedService;
  readonly queue: QueueName;
  /** The request path for the call to the model. */
  readonly path: string | undefined;
  readonly grant: Grant;
}

export interface EasTarget extends EasAim {
  readonly request: IncomingMessage;
}

export interface EasCall extends EasAim {
  readonly request: EdgeRequest;
  readonly response: ServerResponse;
}
