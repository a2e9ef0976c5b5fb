// A queue that a connection has named: which service it belongs to now, who speaks, and what the
// token may do there. Services change while connections stay: the directory is asked anew for each
// WebSocket message, and a token that is taken away stops working at the next one.

import { PlatformError } from '@sluice/sdk/wire';
import type { Identity, Queues } from '../../broker/queues.ts';
import type { QueueName } from '../../queue/message.ts';
import type { Directory, Grant, HostedService, ServiceToken } from '../directory.ts';
import { checkPermission, type EasOperation } from '../eas/permissions.ts';
import { grantOfToken } from '../tokens.ts';

export interface ChannelOptions {
  readonly directory: Directory;
  readonly service: string;
  readonly queue: QueueName;
  readonly by: Identity;
  readonly token: string;
  readonly adminToken: string | undefined;
}

/** What a call needs to be allowed. */
export interface Need {
  readonly operation: EasOperation;
  /** It begins something new: refused while the service is stopped. */
  readonly begins: boolean;
}

export class Channel {
  readonly queue: QueueName;
  readonly by: Identity;
  readonly #options: ChannelOptions;
  readonly #allowed = new Set<EasOperation>();
  #hosted: HostedService | undefined;
  #tokens: readonly ServiceToken[] = [];
  #grant: Grant = { kind: 'none' };
  /** The WebSocket message for which the directory was asked last. */
  #asked = -1;

  constructor(options: ChannelOptions) {
    this.queue = options.queue;
    this.by = options.by;
    this.#options = options;
  }

  /** The token's name, when it is not the main one: the owner of what it puts. */
  get owner(): string | undefined {
    return this.#grant.kind === 'scoped' ? this.#grant.name : undefined;
  }

  /** What its token may do, as of the last `use`. */
  get grant(): Grant {
    return this.#grant;
  }

  /** Throws 401 or 404 when the channel may not be used at all; `message` numbers messages. */
  refresh(message: number): HostedService {
    const hosted = this.#ask(message);
    if (this.#grant.kind === 'none') {
      throw new PlatformError('unauthorized', 'the token is missing or wrong');
    }
    return hosted;
  }

  /** The service's queues, once the token may do there what is needed; `id` is that of a get. */
  use({ operation, begins }: Need, message: number, id: string | undefined): Queues {
    const hosted = this.#ask(message);
    if (!this.#allowed.has(operation)) {
      checkPermission(this.#grant, operation, this.queue, id);
      // Whether a get is allowed may depend on its request id.
      if (operation !== 'get') this.#allowed.add(operation);
    }
    if (begins && hosted.stopped !== undefined) {
      throw new PlatformError('unavailable', hosted.stopped, { retryAfterMs: 5000 });
    }
    return hosted.queues;
  }

  #ask(message: number): HostedService {
    if (message === this.#asked && this.#hosted !== undefined) return this.#hosted;
    const { directory, service, token, adminToken } = this.#options;
    const hosted = directory.find(service);
    if (hosted === undefined) {
      this.#hosted = undefined;
      throw new PlatformError('not_found', `there is no service ${service}`);
    }
    if (hosted !== this.#hosted || hosted.tokens !== this.#tokens) {
      this.#grant = grantOfToken(hosted, token, adminToken);
      this.#tokens = hosted.tokens;
      this.#allowed.clear();
    }
    this.#hosted = hosted;
    this.#asked = message;
    return hosted;
  }
}
