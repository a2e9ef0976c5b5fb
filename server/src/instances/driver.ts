// How instances are run: one driver for each way. A driver starts a copy, says where it answers and
// when it has ended, and ends it; when and why is not its concern.

import type { InstanceSource, Resources } from '../deployment/instances.ts';

/** How a copy ended. */
export interface Ending {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** Why it never ran at all: no such folder, port taken, no bash. */
  readonly problem: string | undefined;
  /** With a problem: trying again cannot help, what was declared is wrong (no such image). */
  readonly isFinal?: boolean;
  /** With a problem: something of the surroundings is missing now (a registry does not answer);
   * that says nothing about what was declared. */
  readonly isOutside?: boolean;
  /** The system ended it for lack of memory. */
  readonly outOfMemory?: boolean;
  /** With that: how much it was allowed. */
  readonly memoryLimitBytes?: number;
}

/** What a driver tells while it starts a copy. */
export interface Stage {
  readonly state: 'Pulling' | 'Starting';
  /** The end of a sentence: "3 of 7 layers, 120 of 410 MB"; may be empty. */
  readonly text: string;
}

export interface Launch {
  readonly service: string;
  /** The service's number: never used again for another one. */
  readonly number: number;
  /** Unique among all instances. */
  readonly instance: string;
  /** Which launch it is a copy of (`launchKey`): copies of equal keys are the same thing. */
  readonly key: string;
  readonly revision: number;
  readonly source: InstanceSource;
  /** The address, of an endpoint. */
  readonly url: string | undefined;
  readonly resources: Resources;
  /** Indexes of the accelerators that are this copy's alone. */
  readonly devices: readonly number[];
  /** Paths that somebody keeps for it as long as it runs; given back with a survivor. */
  readonly uses?: readonly string[];
  /** May be called as often as something changes, until `start` has resolved. */
  tell(stage: Stage): void;
  /** Aborted: the copy is not wanted any more; `start` then resolves soon, with nothing left. */
  readonly signal: AbortSignal;
}

/** A command run beside a copy, in its surroundings: an `exec` health check. */
export type RunBeside = (
  argv: readonly string[],
  signal: AbortSignal,
) => Promise<{ readonly ok: boolean; readonly reason: string }>;

/** Where a port of a copy is reached from here. */
export interface PortAddress {
  readonly host: string;
  readonly port: number;
  /** Its number in the copy's own world. */
  readonly inside: number;
  /** Something of ours listens there and accepts for the copy, whether that listens or not. */
  readonly isProxied: boolean;
}

/** One running copy. */
export interface Running {
  readonly url: URL;
  readonly pid: number | undefined;
  readonly port: number | undefined;
  /** False: it could not be started; `ended` says why. */
  readonly hasBegun: boolean;
  /** Resolves when it has ended, whoever ended it. Never, of an endpoint. */
  readonly ended: Promise<Ending>;
  /** Asks it to end, and makes it after the grace time; resolves when nothing of it is left. Later
   * calls wait for the same end; `kill` cuts it short. */
  stop(graceMs: number): Promise<void>;
  /** Makes it end at once; `stop` then resolves soon. */
  kill(): void;
  readonly exec: RunBeside | undefined;
  /** For a copy with ports of its own; undefined: the port of `url`. */
  readonly portAt?: ((inside: number | undefined) => PortAddress) | undefined;
}

/**
 * A copy that an earlier server started and that still runs: proved by process number, start time
 * and run of the machine, or by the labels of a container. Either `adopt` or `end` is called, once.
 */
export interface Survivor {
  readonly service: string;
  readonly number: number;
  readonly instance: string;
  readonly key: string;
  readonly revision: number;
  /** Wall clock. */
  readonly startedAt: number;
  readonly devices: readonly number[];
  /** What its launch said that it uses. */
  readonly uses?: readonly string[] | undefined;
  /** From now on it is as if this driver had started it. Rejects when it cannot be. */
  adopt(launch: Launch): Promise<Running>;
  /** Asks it to end and makes it; nothing of it is left when it resolves. */
  end(): Promise<void>;
}

/** What a copy uses now. */
export interface Usage {
  /** 1 = one core. */
  readonly cpuCores: number;
  readonly memoryBytes: number;
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
  /** What an earlier server has left and that still runs. What cannot be proved to be ours is left
   * alone, what is half dead is ended. Called once, before the first start. */
  survivors(): Promise<readonly Survivor[]>;
  /** Why nothing can be started here now ("no Docker Engine answers at ..."); undefined: it can. */
  problem(): Promise<string | undefined>;
  /** undefined: not known. */
  usage?(instance: string): Promise<Usage | undefined>;
}
