// Client of the administrative API, for Node and browsers: plain fetch and JSON. Every failure is a
// PlatformError; the code tells what kind.

import type {
  ApplyAnswer,
  AutoscalerInfo,
  RevisionDescription,
  RevisionInfo,
  ServiceChange,
} from './admin-change-types.ts';
import { type EventOptions, parameters, type ServiceLogOptions, valuesOf } from './admin-lines.ts';
import { type AdminClientOptions, AdminTransport, isCode, linesOf } from './admin-transport.ts';
import type {
  BackupInfo,
  BackupProgress,
  BackupStep,
  InstanceInfo,
  NewToken,
  QueueInfo,
  Scope,
  ServerInfo,
  ServiceDescription,
  ServiceQueue,
  ServiceSummary,
  TokenInfo,
} from './admin-types.ts';
import { PlatformError } from './errors.ts';
import type { EventInfo, LogLine } from './event-types.ts';
import type { ServiceWebhooks } from './requests/callback-info.ts';

export interface LogOptions {
  /** Lines from the end to begin with; undefined = all that is kept. */
  readonly tail?: number;
  /** Go on with what is written from now on, until the signal or the end of the instance. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

export class AdminClient {
  readonly #transport: AdminTransport;

  constructor(options: AdminClientOptions) {
    this.#transport = new AdminTransport(options);
  }

  /** Also proves that the address is a Sluice and the token its admin token. */
  async server(signal?: AbortSignal): Promise<ServerInfo> {
    return this.#transport.json({ method: 'GET', path: '/v1/server', signal });
  }

  async services(): Promise<readonly ServiceSummary[]> {
    return this.#transport.json({ method: 'GET', path: '/v1/services' });
  }

  async service(name: string): Promise<ServiceDescription> {
    return this.#transport.json({ method: 'GET', path: service(name) });
  }

  /** Makes a new service; `conflict` when the name is taken. May not be repeated blindly. */
  async createService(definition: unknown, options: ApplyOptions = {}): Promise<ApplyAnswer> {
    const path = `/v1/services${ways(options)}`;
    return this.#transport.json({ method: 'POST', path, body: definition });
  }

  /** Creates, updates, or leaves alone when equal; may be repeated. */
  async applyService(
    name: string,
    definition: unknown,
    options: ApplyOptions = {},
  ): Promise<ApplyAnswer> {
    const path = `${service(name)}${ways(options)}`;
    return this.#transport.json({ method: 'PUT', path, body: definition });
  }

  /** Changes some fields of a service's declaration. */
  async modifyService(
    name: string,
    change: ServiceChange,
    options: ApplyOptions = {},
  ): Promise<ApplyAnswer> {
    const path = `${service(name)}${ways(options)}`;
    return this.#transport.json({ method: 'PATCH', path, body: change });
  }

  /**
   * Takes a service out of use until `startService`: its instances finish what they work on and
   * end, then its queues are closed with all that is in them. Resolves when that is decided; the
   * service's status says when it is `Stopped`. With `now` running requests are cut off and
   * given back.
   */
  async stopService(name: string, options: { readonly now?: boolean } = {}): Promise<void> {
    const body = { now: options.now ?? false };
    await this.#transport.call({ method: 'POST', path: `${service(name)}/stop`, body });
  }

  /** Opens a stopped service again; instances follow. Nothing happens when it is in use. */
  async startService(name: string): Promise<void> {
    await this.#transport.call({ method: 'POST', path: `${service(name)}/start` });
  }

  /** The latest revisions, the newest last. */
  async revisions(name: string): Promise<readonly RevisionInfo[]> {
    return this.#transport.json({ method: 'GET', path: `${service(name)}/revisions` });
  }

  async revision(name: string, revision: number): Promise<RevisionDescription> {
    return this.#transport.json({ method: 'GET', path: `${service(name)}/revisions/${revision}` });
  }

  /** Makes the declaration of an earlier revision the newest one; tokens stay as they are. */
  async switchRevision(
    name: string,
    revision: number,
    options: Pick<ApplyOptions, 'dryRun'> = {},
  ): Promise<ApplyAnswer> {
    const path = `${service(name)}/revisions/${revision}/switch${ways(options)}`;
    return this.#transport.json({ method: 'POST', path });
  }

  /** How the number of instances is decided; undefined: it is the declared one. */
  async autoscaler(name: string): Promise<AutoscalerInfo | undefined> {
    const path = `${service(name)}/autoscaler`;
    const info: AutoscalerInfo | null = await this.#transport.json({ method: 'GET', path });
    return info ?? undefined;
  }

  /** Declares the `autoscaler` block, whole, in any of its spellings. */
  async setAutoscaler(
    name: string,
    block: unknown,
    options: ApplyOptions = {},
  ): Promise<ApplyAnswer> {
    const path = `${service(name)}/autoscaler${ways(options)}`;
    return this.#transport.json({ method: 'PUT', path, body: block });
  }

  /** Takes the `autoscaler` block away; as many instances as declared are wanted then. */
  async removeAutoscaler(name: string): Promise<ApplyAnswer> {
    return this.#transport.json({ method: 'DELETE', path: `${service(name)}/autoscaler` });
  }

  /** Removes the service with its queues and everything in them. */
  async deleteService(name: string): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: service(name) });
  }

  async instances(name: string): Promise<readonly InstanceInfo[]> {
    return this.#transport.json({ method: 'GET', path: `${service(name)}/instances` });
  }

  /**
   * Has other instances take the place of these, which finish what they work on and end; with
   * `force` their requests are cut off and given back. `not_found` names those that don't exist;
   * then nothing happens.
   */
  async deleteInstances(
    name: string,
    names: readonly string[],
    options: { readonly force?: boolean } = {},
  ): Promise<void> {
    const body = { names, force: options.force ?? false };
    const path = `${service(name)}/instances/replace`;
    await this.#transport.call({ method: 'POST', path, body });
  }

  /** What an instance wrote, as it comes: whole lines. As `serviceLogs` of that instance. */
  async *logs(name: string, instance: string, options: LogOptions = {}): AsyncGenerator<string> {
    const lines = this.serviceLogs(name, { ...options, instance });
    for await (const { line } of lines) yield `${line}\n`;
  }

  /**
   * What the instances of a service write, line by line; with `follow` also those that are started
   * later. It ends with its signal; a follower's also when the service is deleted or the server
   * stops, or by an `unavailable` error when the connection is lost.
   */
  serviceLogs(name: string, options: ServiceLogOptions = {}): AsyncGenerator<LogLine> {
    const { tail, follow = false, instance, signal } = options;
    const query = parameters({ tail, follow: String(follow), instance });
    return valuesOf(this.#transport, `${service(name)}/logs${query}`, signal);
  }

  /**
   * What happened to a service, or to all, and why. With `follow` it goes on with what happens from
   * now on and ends with its signal, or by an `unavailable` error when the server stops or the
   * connection is lost: call it again with `after`, the number of the last event, to go on there.
   */
  async *events(name?: string, options: EventOptions = {}): AsyncGenerator<EventInfo> {
    const { after, limit, kind, follow = false, signal } = options;
    const query = parameters({ after, limit, kind, follow: String(follow) });
    const path = `${name === undefined ? '/v1' : service(name)}/events${query}`;
    yield* valuesOf<EventInfo>(this.#transport, path, signal);
    if (!follow || signal?.aborted === true) return;
    throw new PlatformError('unavailable', 'the server has ended the list of events');
  }

  async queues(name: string): Promise<readonly QueueInfo[]> {
    return this.#transport.json({ method: 'GET', path: `${service(name)}/queues` });
  }

  /** Undoes an end of stream. */
  async reopen(name: string, queue: ServiceQueue): Promise<void> {
    await this.#transport.call({
      method: 'POST',
      path: `${service(name)}/reopen`,
      body: { queue },
    });
  }

  async tokens(name: string): Promise<readonly TokenInfo[]> {
    return this.#transport.json({ method: 'GET', path: `${service(name)}/tokens` });
  }

  /** A further token of a service; its secret is in this answer and nowhere else. */
  async addToken(name: string, token: string, scopes: readonly Scope[]): Promise<NewToken> {
    const body = { name: token, scopes };
    return this.#transport.json({ method: 'POST', path: `${service(name)}/tokens`, body });
  }

  async removeToken(name: string, token: string): Promise<void> {
    const path = `${service(name)}/tokens/${encodeURIComponent(token)}`;
    await this.#transport.call({ method: 'DELETE', path });
  }

  /** Replaces the main token; the old one is refused from now on. */
  async rotateToken(name: string): Promise<NewToken> {
    return this.#transport.json({ method: 'POST', path: `${service(name)}/tokens/main/rotate` });
  }

  /** What the callbacks of a service are signed with, and how they fare. */
  async webhooks(name: string): Promise<ServiceWebhooks> {
    return this.#transport.json({ method: 'GET', path: `${service(name)}/webhooks` });
  }

  /** New secrets sign from now on; those before sign too for `overlap` more, 24 h unless given. */
  async rotateWebhooks(
    name: string,
    options: { readonly overlap?: string } = {},
  ): Promise<ServiceWebhooks> {
    const path = `${service(name)}/webhooks/rotate`;
    return this.#transport.json({ method: 'POST', path, body: options });
  }

  /** Callbacks go again to an address that answered 410; `not_found` when it is not closed. */
  async openWebhookAddress(name: string, url: string): Promise<ServiceWebhooks> {
    const path = `${service(name)}/webhooks/open`;
    return this.#transport.json({ method: 'POST', path, body: { url } });
  }

  /**
   * Makes a backup of everything in a folder on the server's machine, while it serves. Resolves
   * when the backup has been checked; a signal or a lost connection leaves nothing behind.
   */
  async backUp(path: string, options: BackupOptions = {}): Promise<BackupInfo> {
    const { signal, progress } = options;
    const call = { method: 'POST', path: '/v1/backup', body: { path }, signal };
    for await (const line of linesOf(await this.#transport.call(call), signal)) {
      // As for `AdminTransport.json`.
      const step = JSON.parse(line) as BackupStep;
      if (step.kind === 'progress') progress?.(step);
      else if (step.kind === 'done') return step.backup;
      else throw new PlatformError(isCode(step.code) ? step.code : 'internal', step.detail);
    }
    signal?.throwIfAborted();
    throw new PlatformError('unavailable', 'the server ended before the backup was made');
  }

  /** The Prometheus text. */
  async metrics(): Promise<string> {
    const response = await this.#transport.call({ method: 'GET', path: '/metrics' });
    return response.text();
  }
}

export interface BackupOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (progress: BackupProgress) => void;
}

export interface ApplyOptions {
  /** Refuse fields that nobody knows, instead of naming them in the warnings. */
  readonly strict?: boolean;
  /** Check everything and answer what would change, and change nothing. */
  readonly dryRun?: boolean;
}

function service(name: string): string {
  return `/v1/services/${encodeURIComponent(name)}`;
}

function ways({ strict, dryRun }: ApplyOptions): string {
  const query = new URLSearchParams();
  if (strict === true) query.set('strict', 'true');
  if (dryRun === true) query.set('dryRun', 'true');
  return query.size === 0 ? '' : `?${query}`;
}
