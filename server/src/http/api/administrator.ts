// The administrative API's view of the rest of Sluice: joins what the registry knows of services,
// the broker of their queues and the runtime of their instances. The small interfaces here are what
// it needs of each; the composition root hands the real ones in.

import {
  type BackupInfo,
  type FieldChange,
  type InstanceInfo,
  type NewToken,
  PlatformError,
  type Scope,
  type ServerInfo,
  type ServiceQueue,
  type ServiceStatus,
  type ServiceSummary,
  type TokenInfo,
} from '@sluice/sdk/wire';
import type { Queues } from '../../broker/queues.ts';
import type {
  Administration,
  AppliedService,
  ApplyRequest,
  BackupRequest,
  DescribedService,
  LogRequest,
  ObservedService,
} from './administration.ts';

/** A service as the registry shows it. */
export interface RegisteredService {
  readonly name: string;
  readonly status: ServiceStatus;
  readonly message: string;
  readonly revision: number;
  /** Wall clock. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly instances: ServiceSummary['instances'];
  readonly token: string;
  readonly file: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  readonly facts: ServiceFacts;
}

/** What only the description of a service shows. */
export type ServiceFacts = Pick<
  DescribedService,
  'sourceRevision' | 'rollout' | 'source' | 'image' | 'resources' | 'autoscaled'
>;

export interface ApplyOutcome {
  readonly change: 'created' | 'updated' | 'unchanged';
  readonly name: string;
  readonly revision: number;
  readonly warnings: readonly string[];
  readonly token: string;
  readonly changes: readonly FieldChange[];
  readonly rollsOut: boolean;
}

interface ApplyOptions {
  readonly name?: string | undefined;
  readonly strict?: boolean;
}

interface TokenSecret extends TokenInfo {
  readonly secret: string;
}

export interface ServiceRegistry {
  list(): readonly RegisteredService[];
  get(name: string): RegisteredService | undefined;
  create(input: unknown, options: ApplyOptions): Promise<ApplyOutcome>;
  apply(input: unknown, options: ApplyOptions): Promise<ApplyOutcome>;
  delete(name: string): Promise<void>;
  tokens(name: string): readonly TokenInfo[];
  addToken(name: string, token: string, scopes: readonly string[]): Promise<TokenSecret>;
  removeToken(name: string, token: string): Promise<void>;
  rotateToken(name: string): Promise<TokenSecret>;
}

export interface InstanceHost {
  list(service: string): readonly InstanceInfo[];
  /** Rejects with `not_found` when there is no such instance. */
  logs(service: string, instance: string, request: LogRequest): Promise<AsyncIterable<Uint8Array>>;
}

export interface AdministratorOptions {
  readonly registry: ServiceRegistry;
  readonly queues: { find(name: string): Queues | undefined };
  readonly instances: InstanceHost;
  readonly server: () => ServerInfo;
  readonly notReady: () => string | undefined;
  /** Makes a backup of the data folder; undefined where nothing is kept on disk. */
  readonly backUp: ((request: BackupRequest) => Promise<BackupInfo>) | undefined;
  /** A service is gone. */
  readonly deleted: (name: string) => Promise<void>;
}

export class Administrator implements Administration {
  readonly #options: AdministratorOptions;

  constructor(options: AdministratorOptions) {
    this.#options = options;
  }

  server(): ServerInfo {
    return this.#options.server();
  }

  notReady(): string | undefined {
    return this.#options.notReady();
  }

  services(): readonly ServiceSummary[] {
    return this.#options.registry.list().map((service) => this.#summary(service));
  }

  service(name: string): DescribedService | undefined {
    const service = this.#options.registry.get(name);
    if (service === undefined) return undefined;
    const { token, file, warnings, facts } = service;
    return { ...this.#summary(service), ...facts, token, definition: file, warnings };
  }

  async apply(request: ApplyRequest): Promise<AppliedService> {
    const { registry } = this.#options;
    const { name, definition, how, strict } = request;
    const outcome = await (how === 'create'
      ? registry.create(definition, { name, strict })
      : registry.apply(definition, { name, strict }));
    return appliedOf(outcome);
  }

  async delete(name: string): Promise<void> {
    await this.#options.registry.delete(name);
    await this.#options.deleted(name);
  }

  instances(name: string): readonly InstanceInfo[] {
    this.#required(name);
    return this.#options.instances.list(name);
  }

  async logs(
    name: string,
    instance: string,
    request: LogRequest,
  ): Promise<AsyncIterable<Uint8Array>> {
    this.#required(name);
    return this.#options.instances.logs(name, instance, request);
  }

  queues(name: string): Queues {
    this.#required(name);
    const queues = this.#options.queues.find(name);
    if (queues !== undefined) return queues;
    throw new PlatformError('unavailable', `the queues of ${name} are not open`);
  }

  reopen(name: string, queue: ServiceQueue): Promise<void> {
    return this.queues(name).reopen(queue);
  }

  tokens(name: string): readonly TokenInfo[] {
    return this.#options.registry.tokens(name);
  }

  async addToken(name: string, token: string, scopes: readonly Scope[]): Promise<NewToken> {
    return shown(await this.#options.registry.addToken(name, token, scopes));
  }

  removeToken(name: string, token: string): Promise<void> {
    return this.#options.registry.removeToken(name, token);
  }

  async rotateToken(name: string): Promise<NewToken> {
    return shown(await this.#options.registry.rotateToken(name));
  }

  observed(): readonly ObservedService[] {
    const { registry, queues, instances } = this.#options;
    return registry.list().map(({ name, status, instances: { wanted } }) => ({
      name,
      queues: queues.find(name),
      instances: instances.list(name),
      status,
      wanted,
    }));
  }

  async backUp(request: BackupRequest): Promise<BackupInfo> {
    if (this.#options.backUp !== undefined) return this.#options.backUp(request);
    const { engine } = this.server();
    const text = `the engine ${engine} keeps nothing on disk, so there is nothing to back up`;
    throw new PlatformError('conflict', text);
  }

  #summary(service: RegisteredService): ServiceSummary {
    const { name, status, message, revision, instances } = service;
    const queues = this.#options.queues.find(name);
    const input = queues?.view('input');
    return {
      name,
      status,
      message,
      revision,
      instances,
      waiting: (input?.waiting ?? 0) + (input?.backingOff ?? 0),
      running: input?.leased ?? 0,
      results: queues?.view('sink').length ?? 0,
      createdAt: instant(service.createdAt),
      updatedAt: instant(service.updatedAt),
    };
  }

  #required(name: string): void {
    if (this.#options.registry.get(name) === undefined) {
      throw new PlatformError('not_found', `there is no service ${name}`);
    }
  }
}

function appliedOf(outcome: ApplyOutcome): AppliedService {
  const { change, name, revision, token, warnings, changes, rollsOut } = outcome;
  return { outcome: change, name, revision, token, warnings, changes, rollsOut };
}

function shown({ name, scopes, secret }: TokenSecret): NewToken {
  return { name, scopes, token: secret };
}

function instant(wall: number): string {
  return wall === 0 ? '' : new Date(wall).toISOString();
}
