// What the registry needs of the rest of Sluice, as small interfaces of its own. The composition
// root connects them: the engine keeps definitions, the broker opens queues, the instances run.

import type { DeployedService, RuntimeReport } from '../deployment/service.ts';
import type { ServiceSettings } from '../queue/settings.ts';

export interface StoredDefinition {
  readonly number: number;
  readonly name: string;
  readonly definition: string;
}

/** Durable memory of definitions; every engine is one. */
export interface DefinitionStore {
  definitions(): Promise<readonly StoredDefinition[]>;
  /** Durable when it resolves. */
  saveDefinition(definition: StoredDefinition): Promise<void>;
  /** Removes definition and rows; may be repeated, also when nothing is left. */
  dropService(number: number): Promise<void>;
}

/** The queues by name; the broker is one. */
export interface QueueHost {
  open(service: {
    readonly number: number;
    readonly name: string;
    readonly settings: ServiceSettings;
  }): Promise<unknown>;
  change(name: string, settings: ServiceSettings): Promise<void>;
  /** Closes open queues and removes everything in them. */
  drop(name: string): Promise<void>;
}

/** Whoever runs instances. */
export interface ServiceRuntime {
  /** Takes the wanted state, whole; instances follow. The same state again changes nothing. */
  apply(service: DeployedService): Promise<void>;
  /** Resolves when no instance of it is left, those of an earlier process included. */
  remove(name: string): Promise<void>;
  /** From memory, at once; undefined: it knows no such service. */
  report(name: string): RuntimeReport | undefined;
}
