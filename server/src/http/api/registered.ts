// What the administrative API needs of the registry of services.

import type {
  AutoscalerInfo,
  FieldChange,
  ServiceChange,
  ServiceStatus,
  ServiceSummary,
  TokenInfo,
} from '@sluice/sdk/wire';
import type { Queues } from '../../broker/queues.ts';
import type { DescribedService } from './administration.ts';

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
  /** undefined: no autoscaler has a say. */
  readonly autoscaler: AutoscalerInfo | undefined;
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

export interface RegisteredRevision {
  readonly revision: number;
  readonly sourceRevision: number;
  /** Wall clock. */
  readonly at: number;
  readonly changed: readonly string[];
  readonly current: boolean;
  readonly text: string;
  /** undefined: no longer kept. */
  readonly file: Readonly<Record<string, unknown>> | undefined;
}

interface ChangeOptions {
  readonly strict?: boolean;
  readonly dryRun?: boolean;
}

interface ApplyOptions extends ChangeOptions {
  readonly name?: string | undefined;
}

export interface TokenSecret extends TokenInfo {
  readonly secret: string;
}

export interface ServiceRegistry {
  list(): readonly RegisteredService[];
  get(name: string): RegisteredService | undefined;
  /** Stands in for the queues of a stopped service; undefined: it is not stopped. */
  resting(name: string): Queues | undefined;
  create(input: unknown, options: ApplyOptions): Promise<ApplyOutcome>;
  apply(input: unknown, options: ApplyOptions): Promise<ApplyOutcome>;
  modify(name: string, change: ServiceChange, options: ChangeOptions): Promise<ApplyOutcome>;
  setAutoscaler(
    name: string,
    block: Readonly<Record<string, unknown>> | undefined,
    options: ChangeOptions,
  ): Promise<ApplyOutcome>;
  revisions(name: string): readonly RegisteredRevision[];
  switchRevision(
    name: string,
    revision: number,
    options: { readonly dryRun: boolean },
  ): Promise<ApplyOutcome>;
  halt(name: string, how: { readonly now: boolean }): Promise<void>;
  resume(name: string): Promise<void>;
  delete(name: string): Promise<void>;
  tokens(name: string): readonly TokenInfo[];
  addToken(name: string, token: string, scopes: readonly string[]): Promise<TokenSecret>;
  removeToken(name: string, token: string): Promise<void>;
  rotateToken(name: string): Promise<TokenSecret>;
}
