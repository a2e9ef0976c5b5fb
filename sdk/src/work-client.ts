// The entry of a worker on another machine to the queue of one service.

import { type ClientPlatform, defaultPlatform } from './platform.ts';
import { streamUrl } from './stream-client/address.ts';
import { type ConnectionState, StreamSession } from './stream-client/session.ts';
import { WorkClient } from './stream-client/work.ts';

export type { ConnectionState } from './stream-client/session.ts';
export type {
  LeasedMessage,
  LeaseWatch,
  WorkClient,
  WorkCompletion,
  WorkEnd,
  WorkReceiver,
  WorkRequest,
  WorkReturn,
} from './stream-client/work.ts';

export interface ConnectWorkOptions {
  readonly service: string;
  /** One of scope consume; not needed for an open service. */
  readonly token?: string | undefined;
  /** Name of the instance, unique among all that work for the service. */
  readonly instance: string;
  /** Name and version of the program, for the server's log. */
  readonly agent: string;
  /** How long a call waits for its answer, also through reconnects; default 60 s. */
  readonly timeoutMs?: number | undefined;
  /** Gives the connecting up. */
  readonly signal?: AbortSignal | undefined;
  /** Told of every change of the connection; must not throw. */
  readonly onConnection?: ((state: ConnectionState) => void) | undefined;
  /** Time, chance, sockets and fetch; for tests. */
  readonly platform?: Partial<ClientPlatform> | undefined;
}

const timeoutMsDefault = 60_000;

/** Connects a worker to a server. Rejects when the server cannot be reached or refuses token or
 * service; from then on a lost connection comes back by itself. */
export async function connectWork(url: string, options: ConnectWorkOptions): Promise<WorkClient> {
  const { service, token = '', instance, agent, signal, onConnection } = options;
  const session = new StreamSession({
    url: streamUrl(url),
    token,
    uid: instance,
    gid: service,
    agent,
    timeoutMs: options.timeoutMs ?? timeoutMsDefault,
    platform: { ...defaultPlatform, ...options.platform },
    onConnection,
  });
  const abort = (): void => void session.close();
  if (signal?.aborted) throw signal.reason;
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await session.start();
    return new WorkClient(session, await session.openChannel(service, 'input'));
  } catch (error) {
    await session.close();
    if (signal?.aborted) throw signal.reason;
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
