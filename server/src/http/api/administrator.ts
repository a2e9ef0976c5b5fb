// The administrative API's view of the rest of Sluice: joins what the registry knows of services,
// the broker of their queues and the runtime of their instances. The small interfaces here are what
// it needs of each; the composition root hands the real ones in.

import {
  type AutoscalerInfo,
  type BackupInfo,
  type InstanceInfo,
  type NewToken,
  PlatformError,
  type RevisionDescription,
  type Scope,
  type ServerInfo,
  type ServiceChange,
  type ServiceQueue,
  type ServiceSummary,
  type TokenInfo,
} from '@sluice/sdk/wire';
import type { Queues } from '../../broker/queues.ts';
import type {
  Administration,
  AppliedService,
  ApplyRequest,
  BackupRequest,
  ChangeHow,
  DescribedService,
  LogRequest,
  ObservedService,
} from './administration.ts';
import type {
  ApplyOutcome,
  RegisteredService,
  ServiceRegistry,
  TokenSecret,
} from './registered.ts';

export interface InstanceHost {
  list(service: string): readonly InstanceInfo[];
  /** Rejects with `not_found` when there is no such instance. */
  logs(service: string, instance: string, request: LogRequest): Promise<AsyncIterable<Uint8Array>>;
  /** Lets one go, another takes its place; `now`: what it works on is given back. False: there is
   * none of that name. */
  replace(service: string, instance: string, how: 'drain' | 'now'): boolean;
}

/** What the autoscaler measured and decided last. */
export interface ScalerView {
  /** By strategy, in its order; undefined: not known. */
  readonly values: readonly (number | undefined)[];
  /** `at`: wall clock; undefined: before its first look. */
  readonly decision:
    | { readonly at: number; readonly count: number; readonly reason: string }
    | undefined;
}

export interface AdministratorOptions {
  readonly registry: ServiceRegistry;
  readonly queues: { find(name: string): Queues | undefined };
  readonly instances: InstanceHost;
  /** undefined: it has not looked at the service yet. */
  readonly scaler?: (name: string) => ScalerView | undefined;
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
    const { name, definition, how, strict, dryRun = false } = request;
    const outcome = await (how === 'create'
      ? registry.create(definition, { name, strict, dryRun })
      : registry.apply(definition, { name, strict, dryRun }));
    return appliedOf(outcome);
  }

  async modify(name: string, change: ServiceChange, how: ChangeHow): Promise<AppliedService> {
    return appliedOf(await this.#options.registry.modify(name, change, how));
  }

  async setAutoscaler(
    name: string,
    block: Readonly<Record<string, unknown>> | undefined,
    how: ChangeHow,
  ): Promise<AppliedService> {
    return appliedOf(await this.#options.registry.setAutoscaler(name, block, how));
  }

  autoscaler(name: string): AutoscalerInfo | null {
    this.#required(name);
    const info = this.#options.registry.get(name)?.autoscaler;
    if (info === undefined) return null;
    const seen = this.#options.scaler?.(name);
    if (seen === undefined) return info;
    const { values, decision } = seen;
    return {
      ...info,
      strategies: info.strategies.map((one, at) => ({ ...one, value: values[at] ?? null })),
      decision: decision === undefined ? null : { ...decision, at: instant(decision.at) },
    };
  }

  revisions(name: string): readonly RevisionDescription[] {
    return this.#options.registry.revisions(name).map(({ at, file, ...rest }) => ({
      ...rest,
      at: instant(at),
      kept: file !== undefined,
      definition: file ?? null,
    }));
  }

  async switchRevision(
    name: string,
    revision: number,
    how: Pick<ChangeHow, 'dryRun'>,
  ): Promise<AppliedService> {
    return appliedOf(await this.#options.registry.switchRevision(name, revision, how));
  }

  stop(name: string, how: { readonly now: boolean }): Promise<void> {
    return this.#options.registry.halt(name, how);
  }

  start(name: string): Promise<void> {
    return this.#options.registry.resume(name);
  }

  replaceInstances(name: string, instances: readonly string[], how: 'drain' | 'now'): void {
    const known = new Set(this.instances(name).map((instance) => instance.name));
    const strange = instances.filter((instance) => !known.has(instance));
    if (strange.length > 0) {
      throw new PlatformError('not_found', `service ${name} has no instance ${strange.join(', ')}`);
    }
    const foreign = instances.filter(
      (instance) => !this.#options.instances.replace(name, instance, how),
    );
    if (foreign.length === 0) return;
    const why = 'not started yet, or on a machine whose connection is lost';
    const text = `${foreign.join(', ')} can't be replaced now: ${why}`;
    throw new PlatformError('conflict', text);
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
    const queues = this.#queues(name);
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
    const queues = this.#queues(name);
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

  #queues(name: string): Queues | undefined {
    return this.#options.queues.find(name) ?? this.#options.registry.resting(name);
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
