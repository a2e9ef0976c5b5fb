// One service as the registry holds it in memory, and what is seen of it from outside. Durable is
// its definition; all else is computed from that.

import type { AutoscalerInfo, RolloutInfo, Scope, ServiceStatus } from '@sluice/sdk/wire';
import type { InstanceSettings, InstanceSource, Resources } from '../deployment/instances.ts';
import type { RequestSettings } from '../deployment/requests.ts';
import type { DeployedService, Rollout, RuntimeReport } from '../deployment/service.ts';
import type { ServiceSettings } from '../queue/settings.ts';
import { autoscalerInfo } from './autoscaler-info.ts';
import { withoutSecrets } from './changes.ts';
import type { Definition, DefinitionState } from './definition.ts';
import { type Revision, rollBackOf } from './history.ts';
import type { ParsedService } from './parse.ts';
import { type Situation, statusOf } from './status.ts';
import { mainTokenName, type TokenSet } from './tokens.ts';

export interface Hosted {
  readonly number: number;
  readonly name: string;
  readonly phase: 'creating' | DefinitionState;
  readonly definition: Definition;
  /** undefined: the stored file no longer passes; `fault` says why. */
  readonly parsed: ParsedService | undefined;
  /** Whether the broker has its queues. */
  readonly isOpened: boolean;
  readonly fault: string | undefined;
}

/** What an edge needs in order to let a caller in. The same object until something changes. */
export interface DirectoryEntry {
  readonly name: string;
  /** No token is asked for. */
  readonly open: boolean;
  /** Why the queues can't be used now; undefined = they can. */
  readonly stopped: string | undefined;
  /** undefined while its file does not pass. */
  readonly requests: RequestSettings | undefined;
  /** Main token first. */
  readonly tokens: readonly DirectoryToken[];
}

export interface DirectoryToken {
  readonly name: string;
  readonly secret: string;
  /** undefined: the main token. */
  readonly scopes: ReadonlySet<Scope> | undefined;
}

export interface ServiceView {
  readonly number: number;
  readonly name: string;
  readonly status: ServiceStatus;
  /** What is missing or wrong; empty when all is well. */
  readonly message: string;
  readonly revision: number;
  /** Wall clock. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly instances: {
    readonly wanted: number;
    readonly running: number;
    readonly pending: number;
    readonly failed: number;
  };
  /** Below the server's address. */
  readonly path: string;
  readonly open: boolean;
  /** The main token; empty for an open service. */
  readonly token: string;
  /** The file, its secrets as `***`. */
  readonly file: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  readonly history: readonly Revision[];
  /** undefined while the file does not pass. */
  readonly settings: ServiceSettings | undefined;
  readonly declared: InstanceSettings | undefined;
  readonly facts: ServiceFacts;
  /** undefined: no autoscaler has a say. */
  readonly autoscaler: AutoscalerInfo | undefined;
}

/** What only the description of a service shows. */
export interface ServiceFacts {
  readonly sourceRevision: number;
  readonly rollout: RolloutInfo;
  readonly source: InstanceSource['kind'];
  /** Empty unless it is a container's. */
  readonly image: string;
  readonly resources: Resources;
  readonly autoscaled: boolean;
}

/** Where requests are put, below the server's address. */
export function servicePath(name: string): string {
  return `/api/predict/${name}`;
}

/** The secret of the main token; empty for an open service. */
export function mainSecret(tokens: TokenSet): string {
  return tokens.main.kind === 'open' ? '' : tokens.main.secret;
}

/** With `openAllowed: false` an open service, kept from before, lets nobody in. */
export function directoryEntry(hosted: Hosted, openAllowed: boolean): DirectoryEntry {
  const { main, further } = hosted.definition.tokens;
  const tokens: DirectoryToken[] = [];
  if (main.kind === 'secret') {
    tokens.push({ name: mainTokenName, secret: main.secret, scopes: undefined });
  }
  for (const { name, secret, scopes } of further) {
    tokens.push({ name, secret, scopes: new Set(scopes) });
  }
  return {
    name: hosted.name,
    open: main.kind === 'open' && openAllowed,
    stopped: stoppedReason(hosted) ?? exposedReason(hosted, openAllowed),
    requests: hosted.parsed?.spec.requests,
    tokens,
  };
}

function stoppedReason({ name, phase, isOpened, fault }: Hosted): string | undefined {
  if (phase === 'deleting') return `service ${name} is being deleted`;
  if (phase === 'stopped') return stoppedText(name);
  if (isOpened) return undefined;
  return `service ${name} is not open: ${fault ?? 'it is being created'}`;
}

/** What a caller is told of a stopped service. */
export function stoppedText(name: string): string {
  return `service ${name} is stopped; start it with: sluice start ${name}`;
}

function exposedReason({ name, definition }: Hosted, openAllowed: boolean): string | undefined {
  if (definition.tokens.main.kind !== 'open' || openAllowed) return undefined;
  return (
    `service ${name} is open, but Sluice listens beyond loopback: set "token" in its file ` +
    'and apply it'
  );
}

/** The wanted state for whoever runs instances. */
export function deployed(hosted: Hosted, parsed: ParsedService): DeployedService {
  const { number, name } = hosted;
  const { revision, sourceRevision } = hosted.definition;
  const instances = { ...parsed.spec.instances, count: wantedCount(hosted, parsed) };
  return { number, name, revision, sourceRevision, instances };
}

/** How many instances are wanted now: declared, decided by the autoscaler, or none. */
export function wantedCount({ phase, definition }: Hosted, { spec }: ParsedService): number {
  if (phase === 'stopping' || phase === 'stopped') return 0;
  const { count } = spec.instances;
  if (spec.scaling === undefined) return count;
  const { min, max } = spec.scaling;
  return definition.scaledTo ?? Math.min(Math.max(count, min), max);
}

export interface ViewFacts {
  readonly report: RuntimeReport | undefined;
  /** Requests that are being worked on; of use while it is being stopped. */
  readonly leased: number;
  readonly openAllowed: boolean;
}

/** The whole view for administrators. */
export function serviceView(
  hosted: Hosted,
  { report, leased, openAllowed }: ViewFacts,
): ServiceView {
  const { definition, parsed } = hosted;
  const fault = hosted.fault ?? exposedReason(hosted, openAllowed);
  const spec = parsed?.spec;
  const wanted = parsed === undefined ? 0 : wantedCount(hosted, parsed);
  const isPending = spec?.instances.source.kind === 'pending';
  return {
    number: hosted.number,
    name: hosted.name,
    ...statusOf(situationOf(hosted, { fault, wanted, leased, report })),
    revision: definition.revision,
    createdAt: definition.createdAt,
    updatedAt: definition.updatedAt,
    instances: {
      wanted,
      running: report?.running ?? 0,
      pending: report?.pending ?? (isPending ? wanted : 0),
      failed: report?.failed ?? 0,
    },
    path: servicePath(hosted.name),
    open: definition.tokens.main.kind === 'open',
    token: mainSecret(definition.tokens),
    file: withoutSecrets(definition.file),
    warnings: definition.warnings,
    history: definition.history,
    settings: spec?.queues,
    declared: spec?.instances,
    facts: factsOf(hosted, report),
    autoscaler: spec?.scaling && autoscalerInfo(hosted.name, spec.scaling, wanted),
  };
}

function situationOf(
  { name, phase, definition, parsed }: Hosted,
  now: Pick<Situation, 'fault' | 'wanted' | 'leased' | 'report'>,
): Situation {
  const { revision, history, scaledTo } = definition;
  const counted = history.at(-1)?.changed ?? [];
  const scales = counted.some((path) => path === 'metadata.instance' || path === 'autoscaler.max');
  return {
    ...now,
    name,
    phase,
    revision,
    spec: parsed?.spec,
    isScaled: scaledTo !== undefined || scales,
    note: rollBackOf(history),
  };
}

const noResources: Resources = { cpuMillis: 0, memoryBytes: 0, gpus: 0 };

function factsOf({ definition, parsed }: Hosted, report: RuntimeReport | undefined): ServiceFacts {
  const source = parsed?.spec.instances.source;
  return {
    sourceRevision: definition.sourceRevision,
    rollout: rolloutInfo(report?.rollout ?? { state: 'done' }),
    source: source?.kind ?? 'none',
    image: source?.kind === 'container' ? source.image : '',
    resources: parsed?.spec.instances.resources ?? noResources,
    autoscaled: parsed?.spec.scaling !== undefined,
  };
}

function rolloutInfo(rollout: Rollout): RolloutInfo {
  switch (rollout.state) {
    case 'done':
      return { state: 'done', text: '' };
    case 'rolling':
      return rollout;
    case 'failed':
      return { state: 'failed', text: rollout.reason };
  }
}
