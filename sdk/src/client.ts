// The entry of a program to the queues of one service: one interface, two protocols.

import { EasHttp } from './eas-client/http.ts';
import { EasQueueClient } from './eas-client/queue.ts';
import { PlatformError } from './errors.ts';
import { type ClientPlatform, defaultPlatform } from './platform.ts';
import type { QueueClient, QueueKind } from './queue-client.ts';
import type { RequestEvent } from './requests/request-info.ts';
import { baseOf, streamUrl } from './stream-client/address.ts';
import type { FollowOptions } from './stream-client/event-stream.ts';

export type { FollowOptions } from './stream-client/event-stream.ts';

import { StreamQueueClient } from './stream-client/queue.ts';
import { StreamSession } from './stream-client/session.ts';

export type ClientProtocol = 'stream' | 'eas';

export interface ConnectOptions {
  readonly service: string;
  /** The service's token; not needed for an open service. */
  readonly token?: string | undefined;
  /** `stream` (default) is Sluice's own, the faster one with leases that survive lost connections;
   * `eas` works on every server that speaks the EAS protocol. */
  readonly protocol?: ClientProtocol | undefined;
  /** Who consumes: unique within its group; default a random id. */
  readonly uid?: string | undefined;
  /** Consumers of one group share the messages; default `eas`. Workers use the service's name. */
  readonly gid?: string | undefined;
  /** How long a call waits for its answer, also through reconnects; default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** EAS only: the input queue is at the root of the address (`serve --root-queue`). */
  readonly root?: boolean | undefined;
  /** Gives the connecting up. */
  readonly signal?: AbortSignal | undefined;
  /** Time, chance, sockets and fetch; for tests. */
  readonly platform?: Partial<ClientPlatform> | undefined;
}

/** The queues of one service. Close it, or the program will not end. */
export interface Client {
  readonly service: string;
  readonly protocol: ClientProtocol;
  readonly uid: string;
  readonly gid: string;
  readonly input: QueueClient;
  readonly sink: QueueClient;
  /** Where the dead of the input queue stay. */
  readonly rear: QueueClient;
  /** Where the dead of the sink stay. */
  readonly sinkRear: QueueClient;
  /** The events of a request by its public id, each once and in order, through lost connections and
   * restarts of the server; the last is `done`. Stream protocol only. */
  events(id: string, options?: FollowOptions): AsyncGenerator<RequestEvent, void>;
  /** Ends calls and watches; leases that are held go back uncounted. */
  close(): Promise<void>;
}

const timeoutMsDefault = 30_000;
const agent = '@sluice/sdk 0.1.0';

/**
 * Connects to a server, such as `http://127.0.0.1:8600`. With the stream protocol it rejects when
 * the server cannot be reached or refuses token or service; from then on a lost connection comes
 * back by itself. With the EAS protocol every call connects on its own, and nothing is asked yet.
 */
export async function connect(url: string, options: ConnectOptions): Promise<Client> {
  const platform = { ...defaultPlatform, ...options.platform };
  const base = baseOf(url);
  const who = {
    token: options.token ?? '',
    uid: options.uid ?? platform.random.id(),
    gid: options.gid ?? 'eas',
    timeoutMs: options.timeoutMs ?? timeoutMsDefault,
    platform,
  };
  if (options.protocol === 'eas') return easClient(base, options, who);
  return streamClient(streamUrl(url), options, who);
}

interface Who {
  readonly token: string;
  readonly uid: string;
  readonly gid: string;
  readonly timeoutMs: number;
  readonly platform: ClientPlatform;
}

function easClient(base: string, { service, root }: ConnectOptions, who: Who): Client {
  const url = root ? base : `${base}/api/predict/${encodeURIComponent(service)}`;
  const http = new EasHttp({ url, ...who });
  const queue = (name: QueueKind, sink?: QueueClient): QueueClient =>
    new EasQueueClient({ http, service, queue: name, sink });
  const sink = queue('sink');
  return {
    service,
    protocol: 'eas',
    uid: who.uid,
    gid: who.gid,
    input: queue('input', sink),
    sink,
    rear: queue('inputRear'),
    sinkRear: queue('sinkRear'),
    events: () => {
      const text = 'The EAS protocol knows no events: use the stream protocol or the request API.';
      throw new PlatformError('not_allowed', text);
    },
    close: () => {
      http.close();
      return Promise.resolve();
    },
  };
}

async function streamClient(url: string, options: ConnectOptions, who: Who): Promise<Client> {
  const { service, signal } = options;
  const session = new StreamSession({ url, agent, ...who });
  const abort = (): void => void session.close();
  if (signal?.aborted) throw signal.reason;
  signal?.addEventListener('abort', abort, { once: true });
  const queue = async (name: QueueKind): Promise<StreamQueueClient> => {
    const channel = await session.openChannel(service, name);
    return new StreamQueueClient({ session, service, queue: name, channel });
  };
  try {
    await session.start();
    const [input, sink, rear, sinkRear] = await Promise.all([
      queue('input'),
      queue('sink'),
      queue('inputRear'),
      queue('sinkRear'),
    ]);
    const { uid, gid } = who;
    const close = (): Promise<void> => session.close();
    const events: Client['events'] = (id, following) => input.events(id, following);
    return { service, protocol: 'stream', uid, gid, input, sink, rear, sinkRear, events, close };
  } catch (error) {
    await session.close();
    if (signal?.aborted) throw signal.reason;
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
