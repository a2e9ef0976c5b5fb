// What the administrative API needs of the rest of Sluice. The composition root connects it to the
// registry of services, the instances and the broker. Refusals are PlatformErrors.

import type {
  ApplyAnswer,
  AutoscalerInfo,
  BackupInfo,
  BackupProgress,
  InstanceInfo,
  NewToken,
  RevisionDescription,
  Scope,
  ServerInfo,
  ServiceChange,
  ServiceDescription,
  ServiceQueue,
  ServiceSummary,
  TokenInfo,
} from '@sluice/sdk/wire';
import type { Queues } from '../../broker/queues.ts';

/** A service without its address, which only the edge knows. */
export type DescribedService = Omit<ServiceDescription, 'endpoint'>;

/** How a change is taken. */
export interface ChangeHow {
  /** Refuse fields that nobody knows. */
  readonly strict: boolean;
  /** Only say what it would do. */
  readonly dryRun: boolean;
}

export interface ApplyRequest {
  /** The name in the address; undefined: the definition's own. */
  readonly name: string | undefined;
  /** A parsed service.json. */
  readonly definition: unknown;
  /** `create`: `conflict` when the name is taken. */
  readonly how: 'create' | 'apply';
  readonly strict: boolean;
  readonly dryRun?: boolean;
}

/** An answer without the address, which only the edge knows. */
export type AppliedService = Omit<ApplyAnswer, 'endpoint'>;

export interface LogRequest {
  /** Lines from the end to begin with; undefined = all. */
  readonly tail: number | undefined;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

export interface BackupRequest {
  /** An absolute path on this machine; nothing may be there yet. */
  readonly path: string;
  readonly signal: AbortSignal;
  readonly tell: (progress: BackupProgress) => void;
}

/** What the metrics are made of. */
export interface ObservedService {
  readonly name: string;
  /** undefined while its queues are closed. */
  readonly queues: Queues | undefined;
  readonly instances: readonly InstanceInfo[];
  readonly status: ServiceSummary['status'];
  /** Instances that are wanted now. */
  readonly wanted: number;
}

export interface Administration {
  server(): ServerInfo;
  /** undefined: recovered and serving; else why not. */
  notReady(): string | undefined;

  services(): readonly ServiceSummary[];
  service(name: string): DescribedService | undefined;
  /** Durable when it resolves; instances follow. An error may carry `mistakes`, one a line. */
  apply(request: ApplyRequest): Promise<AppliedService>;
  /** Changes some fields of a service. */
  modify(name: string, change: ServiceChange, how: ChangeHow): Promise<AppliedService>;
  /** Declares the `autoscaler` block, whole; undefined takes it away. */
  setAutoscaler(
    name: string,
    block: Readonly<Record<string, unknown>> | undefined,
    how: ChangeHow,
  ): Promise<AppliedService>;
  /** null: the declared number of instances stays. */
  autoscaler(name: string): AutoscalerInfo | null;
  /** The newest last. */
  revisions(name: string): readonly RevisionDescription[];
  switchRevision(
    name: string,
    revision: number,
    how: Pick<ChangeHow, 'dryRun'>,
  ): Promise<AppliedService>;
  /** Durable when it resolves; the status says when nothing runs any more. */
  stop(name: string, how: { readonly now: boolean }): Promise<void>;
  start(name: string): Promise<void>;
  /** Removes the service and everything in its queues. */
  delete(name: string): Promise<void>;

  instances(name: string): readonly InstanceInfo[];
  /** Has others take their place. `not_found`, and nothing done, when one does not exist. */
  replaceInstances(name: string, instances: readonly string[], how: 'drain' | 'now'): void;
  /** Resolves when the log is open; ends with the signal, or, unless it follows, with what there
   * is. */
  logs(name: string, instance: string, request: LogRequest): Promise<AsyncIterable<Uint8Array>>;

  queues(name: string): Queues;
  /** Undoes an end of stream. */
  reopen(name: string, queue: ServiceQueue): Promise<void>;

  tokens(name: string): readonly TokenInfo[];
  addToken(name: string, token: string, scopes: readonly Scope[]): Promise<NewToken>;
  removeToken(name: string, token: string): Promise<void>;
  rotateToken(name: string): Promise<NewToken>;

  observed(): readonly ObservedService[];

  /** Resolves when the backup has been made and checked; aborted, nothing is left of it. */
  backUp(request: BackupRequest): Promise<BackupInfo>;
}
