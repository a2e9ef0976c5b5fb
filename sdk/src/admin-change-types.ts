// What the administrative API says of changes to a service: what a change is, which there were, and
// how its number of instances is decided.

/** One field that differs between two declarations. */
export interface FieldChange {
  /** In the nested spelling: `queue.max_delivery`, `containers[0].image`. */
  readonly path: string;
  /** JSON values; null = not there. A secret is `***`. */
  readonly before: unknown;
  readonly after: unknown;
}

export interface ApplyAnswer {
  /** With `dryRun` what it would be. */
  readonly outcome: 'created' | 'updated' | 'unchanged';
  readonly name: string;
  readonly revision: number;
  readonly endpoint: string;
  /** Empty for an open service, and for one that a dry run did not create. */
  readonly token: string;
  readonly warnings: readonly string[];
  /** Every field that differs from before, defaults filled in; of a new service all it declares. */
  readonly changes: readonly FieldChange[];
  /** Whether instances are replaced for it. */
  readonly rollsOut: boolean;
}

/** A change of some fields; both kinds together are possible, `merge` comes first. */
export interface ServiceChange {
  /** Laid over the declared file: objects field by field, lists and values whole; null removes. */
  readonly merge?: unknown;
  /** By place: `metadata.instance`, `containers[0].image`. A value is read as JSON where it is a
   * number, true, false, null, a list or an object, and as text otherwise. */
  readonly set?: Readonly<Record<string, string>>;
}

/** One of the latest revisions of a service. */
export interface RevisionInfo {
  readonly revision: number;
  /** The revision that this one's instances were first launched as: equal ones need no roll-out. */
  readonly sourceRevision: number;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Places of the fields that changed. */
  readonly changed: readonly string[];
  readonly current: boolean;
  /** Whether its file is still kept, so that one can switch back to it. */
  readonly kept: boolean;
  /** How it came to be: `created`, `switched back to 3`, `rolled back: ...`. */
  readonly text: string;
}

/** A revision with its file. */
export interface RevisionDescription extends RevisionInfo {
  /** service.json of then, secrets as `***`; null when it is no longer kept. */
  readonly definition: unknown;
}

/** How far an update of the instances has come; `text` says it, or why it failed. */
export interface RolloutInfo {
  readonly state: 'done' | 'rolling' | 'failed';
  readonly text: string;
}

/** How the number of instances is decided, and what was decided last. */
export interface AutoscalerInfo {
  readonly min: number;
  readonly max: number;
  readonly strategies: readonly AutoscalerStrategy[];
  readonly behavior: {
    readonly scaleUpStabilizationSeconds: number;
    readonly scaleDownStabilizationSeconds: number;
    readonly zeroGraceSeconds: number;
    readonly activationReplicas: number;
  };
  /** null: no times of day have a say. */
  readonly cron: AutoscalerCron | null;
  /** Instances wanted now. */
  readonly wanted: number;
  /** What the scaler decided last, null before its first look. */
  readonly decision: AutoscalerDecision | null;
}

export interface AutoscalerStrategy {
  /** `queue[avgbacklog]`, `qps`, `cpu`, `metric[NAME]`, ... */
  readonly metric: string;
  readonly threshold: number;
  /** Whose metric is read. */
  readonly service: string;
  /** As last measured; null = not known. */
  readonly value: number | null;
}

export interface AutoscalerCron {
  readonly timeZone: string;
  readonly jobs: readonly {
    readonly name: string;
    readonly schedule: string;
    readonly targetSize: number;
  }[];
  readonly excludeDates: readonly string[];
}

export interface AutoscalerDecision {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly count: number;
  readonly reason: string;
}
