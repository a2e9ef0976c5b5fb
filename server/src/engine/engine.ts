// The contract between the broker and whatever makes transitions durable. One conformance suite
// (test/conformance/) holds every engine to it.

import type { Component } from '../kernel/component.ts';
import type { MessageMeta, QueueName, StoredMessage } from '../queue/message.ts';
import type { RequestRecord, RestCause } from '../queue/record.ts';
import type { Mark, OutboxEntry, ServiceState, Transition } from '../queue/transition.ts';

/** What an engine promises; the rest of the code asks for these, never for an engine's name. */
export interface EngineCapabilities {
  readonly name: string;
  /** An acknowledged append survives a crash of the process. */
  readonly survivesProcess: boolean;
  /** An acknowledged append survives loss of power. */
  readonly survivesPower: boolean;
  /** Appends may end as `unknown`. */
  readonly losesAcknowledgements: boolean;
}

export interface Batch {
  /** The service's number; tables are keyed by numbers, never names. */
  readonly service: number;
  readonly epoch: number;
  /** Rises by one with each append of a service; starts at 1 after each recovery. */
  readonly sequence: number;
  /** The state after the batch. */
  readonly state: ServiceState;
  readonly transitions: readonly Transition[];
}

export type AppendOutcome =
  /** On stable storage, all of it. */
  | { readonly kind: 'durable' }
  /** Certainly nothing was written. `full`: no room; `fenced`: a newer epoch or a sequence gap. */
  | { readonly kind: 'refused'; readonly why: 'full' | 'fenced' }
  /** The acknowledgement was lost: all of it was written, or nothing. */
  | { readonly kind: 'unknown' };

/** What recovery hands back, in this order: state, groups (queue by queue, number ascending),
 * messages (queue by queue, index ascending), marks (queue by queue, index, then group ascending;
 * only of groups that have a row), records (index ascending), outbox (index ascending). */
export type Row =
  | { readonly kind: 'state'; readonly state: ServiceState }
  | {
      readonly kind: 'group';
      readonly queue: QueueName;
      readonly group: number;
      readonly gid: string;
      readonly from: number;
      readonly usedAt: number;
      readonly resolved: ReadonlyMap<string, number>;
    }
  | { readonly kind: 'message'; readonly queue: QueueName; readonly meta: MessageMeta }
  | {
      readonly kind: 'mark';
      readonly queue: QueueName;
      readonly group: number;
      readonly index: number;
      readonly mark: Mark;
    }
  | { readonly kind: 'record'; readonly record: RequestRecord }
  | { readonly kind: 'outbox'; readonly entry: OutboxEntry };

export interface MessageRef {
  readonly service: number;
  readonly queue: QueueName;
  readonly index: number;
}

/** A service as its declaration is kept: `definition` is opaque text to the engine. */
export interface ServiceDefinition {
  readonly number: number;
  readonly name: string;
  readonly definition: string;
}

export interface Departure {
  readonly cause: RestCause;
  /** Wall clock. */
  readonly at: number;
}

export interface Engine extends Component {
  readonly capabilities: EngineCapabilities;

  /**
   * Makes a batch durable, atomically. Batches of one service become durable in the order of the
   * calls; several of a service may be under way. Transitions of a batch apply one after the
   * other: what comes after a `trimRecords` is kept whatever its index. The engine keeps no
   * reference to payloads after the answer. Never throws for a full disk or a fence: those are
   * outcomes.
   */
  append(batch: Batch): Promise<AppendOutcome>;

  /** All rows of a service in bounded chunks; nothing when it is new. Only with no append open. */
  recover(service: number): AsyncIterable<readonly Row[]>;

  /** The messages, in order; undefined where one does not exist (any more). Values are copies.
   * Rejects with `damaged` when one is no longer what was stored. */
  payloads(refs: readonly MessageRef[]): Promise<readonly (StoredMessage | undefined)[]>;
  /** The same without the payloads, which may be damaged. */
  metas(refs: readonly MessageRef[]): Promise<readonly (MessageMeta | undefined)[]>;

  /** Up to `limit` (at most 1,000) records with index >= `from`, ascending. */
  records(service: number, from: number, limit: number): Promise<readonly RequestRecord[]>;
  /** The result of home `record`. */
  recordResult(service: number, index: number): Promise<Uint8Array | undefined>;
  /** The latest checkpoint of an input index; it goes when its message leaves. */
  checkpoint(service: number, index: number): Promise<Uint8Array | undefined>;
  /** Up to `limit` (at most 1,000) callbacks to make with index >= `from`, ascending. */
  outbox(service: number, from: number, limit: number): Promise<readonly OutboxEntry[]>;
  /** When and how the result of an input index left the sink. */
  departure(service: number, index: number): Promise<Departure | undefined>;

  /** Whether there is room for new messages above the reserve that keeps completion possible. */
  hasRoom(): boolean;

  definitions(): Promise<readonly ServiceDefinition[]>;
  /** Durable when it resolves. */
  saveDefinition(definition: ServiceDefinition): Promise<void>;
  /** Removes a service's definition, then all its rows in bounded steps; survives a crash between. */
  dropService(service: number): Promise<void>;
}
