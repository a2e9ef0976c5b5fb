// What the registry needs of the rest of Sluice, as small interfaces of its own. The composition
// root connects them: the engine keeps definitions, the broker opens queues, the instances run.

import type { DeployedService, RuntimeReport } from '../deployment/service.ts';
import type { QueueName } from '../queue/message.ts';
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

/** What the registry looks at in a queue. */
export interface QueueFigures {
  readonly length: number;
  readonly leased: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
}

/** The queues by name; the broker is one. */
export interface QueueHost {
  open(service: {
    readonly number: number;
    readonly name: string;
    readonly settings: ServiceSettings;
  }): Promise<unknown>;
  change(name: string, settings: ServiceSettings): Promise<void>;
  /** Hands nothing more of the input out to consumers, or goes on with it; leases stay. */
  hold(name: string, held: boolean): void;
  /** Closes open queues; what is in them stays. */
  close(name: string): Promise<void>;
  /** Closes open queues and removes everything in them. */
  drop(name: string): Promise<void>;
  /** undefined: they are not open. */
  find(name: string): { view(queue: QueueName): QueueFigures } | undefined;
}

/** Whoever runs instances. */
export interface ServiceRuntime {
  /** Takes the wanted state, whole; instances follow. The same state again changes nothing. */
  apply(service: DeployedService): Promise<void>;
  /** Has instances that leave give back what they work on, instead of finishing it. */
  hurry(name: string): void;
  /** Resolves when no instance of it is left, those of an earlier process included. */
  remove(name: string): Promise<void>;
  /** From memory, at once; undefined: nothing is known yet, or there is no such service. */
  report(name: string): RuntimeReport | undefined;
}
