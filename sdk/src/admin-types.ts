// What the administrative API sends and takes, as JSON. The server's schemas are checked against
// these types when it is compiled, so client and server cannot drift apart.

import type { RolloutInfo } from './admin-change-types.ts';

/** The status words of a service; `Running` means all wanted instances are ready. */
export type ServiceStatus =
  | 'Creating'
  | 'Starting'
  | 'Running'
  | 'Pending'
  | 'Updating'
  | 'Scaling'
  | 'Stopping'
  | 'Stopped'
  | 'Failed'
  | 'Deleting'
  | 'DeleteFailed';

export interface ServiceSummary {
  readonly name: string;
  readonly status: ServiceStatus;
  /** Why it is not running, or what one should know; empty when all is well. */
  readonly message: string;
  readonly revision: number;
  readonly instances: InstanceCounts;
  /** Waiting and backing off in the input queue. */
  readonly waiting: number;
  /** Being worked on. */
  readonly running: number;
  /** Results in the sink queue. */
  readonly results: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface InstanceCounts {
  readonly wanted: number;
  readonly running: number;
  readonly pending: number;
  readonly failed: number;
}

export interface ServiceDescription extends ServiceSummary {
  /** Where to put requests: `{url}/api/predict/{name}`; the sink is below it. */
  readonly endpoint: string;
  /** The main token; empty for an open service. */
  readonly token: string;
  /** service.json as it was applied. */
  readonly definition: unknown;
  /** Fields that were accepted without effect, and other remarks. */
  readonly warnings: readonly string[];
  /** The revision that the newest instances were first launched as. */
  readonly sourceRevision: number;
  readonly rollout: RolloutInfo;
  /** Where instances come from: `process`, `container`, `endpoint`, `none`, `pending`. */
  readonly source: string;
  /** The image of a container, else empty. */
  readonly image: string;
  /** What one instance is promised; 0 = nothing is said. */
  readonly resources: {
    readonly cpuMillis: number;
    readonly memoryBytes: number;
    readonly gpus: number;
  };
  /** Whether an autoscaler decides the number of instances. */
  readonly autoscaled: boolean;
}

export interface InstanceInfo {
  readonly name: string;
  /** How it is run: `process`, `endpoint`, ... */
  readonly kind: string;
  readonly state: string;
  /** Why it is in that state; empty when there is nothing to say. */
  readonly message: string;
  /** Where the model server listens; empty while unknown. */
  readonly address: string;
  /** 0 = it has none, or it is not ours. */
  readonly pid: number;
  readonly revision: number;
  /** RFC 3339, UTC; empty = not started. */
  readonly startedAt: string;
  readonly restarts: number;
  /** Requests it may work on at a time, and how many it does. */
  readonly window: number;
  readonly busy: number;
  /** Ready for work. */
  readonly ready: boolean;
  /** The machine it runs on; empty = the server's own. */
  readonly host: string;
  /** Of the program there, when it runs on another machine. */
  readonly version?: string | undefined;
  /** How its run before this one ended; null = there was none. */
  readonly lastExit: LastExit | null;
}

/** How a run of an instance ended. */
export interface LastExit {
  /** null = it was ended by a signal, or never ran. */
  readonly code: number | null;
  readonly signal: string | null;
  /** In words: `ended with code 1`, `out of memory`. */
  readonly reason: string;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  readonly endedAt: string;
  /** The last lines it wrote. */
  readonly lines: readonly string[];
}

/** `input` and `sink` with their rear queues. */
export type ServiceQueue = 'input' | 'sink' | 'inputRear' | 'sinkRear';

export interface QueueInfo {
  readonly name: ServiceQueue;
  readonly ended: boolean;
  readonly payloadBytesMax: number;
  readonly capacity: number;
  readonly length: number;
  readonly waiting: number;
  readonly backingOff: number;
  readonly leased: number;
  readonly reserved: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly consumers: readonly QueueConsumer[];
  readonly groups: readonly QueueGroup[];
  /** At most the first hundred of each group that wait. */
  readonly suspects: readonly QueueSuspect[];
  /** Since the server was started. */
  readonly counters: QueueCounts;
}

export interface QueueConsumer {
  readonly gid: string;
  readonly uid: string;
  readonly index: number;
  readonly pending: number;
  readonly status: string;
  readonly idleMs: number;
  readonly window: number;
  readonly slots: number;
  readonly autoCommit: boolean;
  readonly tags: Readonly<Record<string, string>>;
  /** The suspect that it holds alone, or is reserved for; 0 = none. */
  readonly suspect: number;
}

/** A message that may have no company, because instances died with it. */
export interface QueueSuspect {
  readonly gid: string;
  readonly index: number;
  /** Who holds it, or is to have it once it is empty; empty when nobody is found yet. */
  readonly uid: string;
  readonly isHeld: boolean;
}

export interface QueueGroup {
  readonly gid: string;
  readonly index: number;
  readonly pending: number;
  readonly delivered: number;
  readonly consumers: number;
}

export interface QueueCounts {
  readonly put: number;
  readonly refused: number;
  readonly repeated: number;
  readonly delivered: number;
  readonly completed: number;
  readonly returned: number;
  readonly dead: number;
  readonly evicted: number;
  readonly expired: number;
  readonly stale: number;
}

/** submit: put requests; read: see and fetch results of its own; consume: take and complete work;
 * admin: every operation on the service's queues. */
export type Scope = 'submit' | 'read' | 'consume' | 'admin';

export interface TokenInfo {
  /** `main` is the service's own token, without scopes. */
  readonly name: string;
  readonly scopes: readonly Scope[];
}

/** A token with its secret, shown once when it is made. */
export interface NewToken extends TokenInfo {
  readonly token: string;
}

/** A backup that has been made and checked. */
export interface BackupInfo {
  /** The folder, on the server's machine. */
  readonly path: string;
  /** RFC 3339, UTC: everything accepted before this moment is in it. */
  readonly madeAt: string;
  readonly services: number;
  /** How many rows of each kind. */
  readonly rows: Readonly<Record<string, number>>;
  readonly files: number;
  readonly bytes: number;
}

/** How far it has come: bytes copied, rows read, bytes summed. */
export interface BackupProgress {
  readonly doing: 'copying' | 'reading' | 'summing';
  readonly done: number;
  readonly total: number;
}

/** One line of the answer while a backup is being made; the last is `done` or `failed`. */
export type BackupStep =
  | ({ readonly kind: 'progress' } & BackupProgress)
  | { readonly kind: 'done'; readonly backup: BackupInfo }
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string };

/** Body of every error: RFC 9457. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  /** Several mistakes in one body, each with its path. */
  readonly mistakes?: readonly string[];
}

export interface ServerInfo {
  readonly name: 'sluice';
  readonly version: string;
  readonly engine: string;
  /** RFC 3339, UTC: since when it serves. */
  readonly startedAt: string;
  /** Whether an acknowledged put survives the end of the process, and the loss of power. */
  readonly survivesProcess: boolean;
  readonly survivesPower: boolean;
}
