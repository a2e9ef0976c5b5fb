// How instances are run: one driver for each way. A driver starts a copy, says where it answers and
// when it has ended, and ends it; when and why is not its concern.

import type { InstanceSource } from '../deployment/instances.ts';

/** How a copy ended. */
export interface Ending {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** Why it never ran at all: no such folder, port taken, no bash. */
  readonly problem: string | undefined;
}

export interface Launch {
  readonly service: string;
  /** Unique among all instances. */
  readonly instance: string;
  readonly source: InstanceSource;
  /** The address, of an endpoint. */
  readonly url: string | undefined;
  readonly graceMs: number;
}

/** A command run beside a copy, in its surroundings: an `exec` health check. */
export type RunBeside = (
  argv: readonly string[],
  signal: AbortSignal,
) => Promise<{ readonly ok: boolean; readonly reason: string }>;

/** One running copy. */
export interface Running {
  readonly url: URL;
  readonly pid: number | undefined;
  readonly port: number | undefined;
  /** Resolves when it has ended, whoever ended it. Never, of an endpoint. */
  readonly ended: Promise<Ending>;
  /** Asks it to end, and makes it after the grace time; resolves when nothing of it is left. */
  stop(): Promise<void>;
  /** Makes it end at once; `stop` then resolves soon. */
  kill(): void;
  readonly exec: RunBeside | undefined;
}

export interface LogRequest {
  /** How many lines from the end to begin with; undefined: all there are. */
  readonly tail: number | undefined;
  /** Go on with what is written from now on. */
  readonly follow: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface Driver {
  /** A process closes its sockets a moment before its end is seen; how long that may take. */
  readonly cutGraceMs: number;
  /** Never rejects for a copy that cannot run: it then has `ended` already, with a problem. */
  start(launch: Launch): Promise<Running>;
  /** What the instance wrote; undefined: nothing is kept of it. */
  logs(instance: string, request: LogRequest): AsyncIterable<Uint8Array> | undefined;
  /** The last lines it wrote, for a status. */
  lastLines(instance: string, count: number): Promise<readonly string[]>;
  /** The instance will not come back: what is kept of it may go some day. */
  forget(instance: string): Promise<void>;
  /** Ends what an earlier server has left behind. Before the first start. */
  clear(): Promise<void>;
}
