// What a user declared, checked and complete: plain data without text to parse and without gaps.
// The queue's half goes to the broker, the other half to whatever runs instances. Nothing here
// knows how either is done.

import type { ServiceSettings } from '../queue/settings.ts';

/** A process to start: one shell text, run by bash in a process group of its own. */
export interface ProcessSource {
  readonly kind: 'process';
  /** `command`: one command, to be replaced by it (`exec`); `script`: lines of shell. */
  readonly form: 'command' | 'script';
  readonly text: string;
  /** 0: a free port is chosen for each process. Given as PORT either way, with HOST. */
  readonly port: number;
  /** Added to the allow-listed environment; never holds PORT or HOST. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder to start in; undefined: the server's own. A relative one is below that. */
  readonly workDir: string | undefined;
}

/** Where instances come from. */
export type InstanceSource =
  /** Servers that already run, one instance each: checked and given work, never started. */
  | { readonly kind: 'endpoint'; readonly urls: readonly string[] }
  | ProcessSource
  /** Queues only. */
  | { readonly kind: 'none' }
  /** Declared, but nothing here can run it: instances stay pending, `missing` says why. */
  | { readonly kind: 'pending'; readonly missing: string };

/** How an instance shows that it can work. Probing starts at once; the first success is ready. */
export interface HealthCheck {
  readonly probe:
    | { readonly kind: 'tcp' }
    | { readonly kind: 'http'; readonly path: string }
    | { readonly kind: 'exec'; readonly argv: readonly string[] };
  /** undefined: the port of the instance. */
  readonly port: number | undefined;
  /** How long after the start failures are forgiven, as long as no check has succeeded. */
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** The call to the model server. */
export interface ModelRequest {
  /** Where a put without a path of its own goes; puts may name paths below it. */
  readonly path: string;
  /** Further paths that a put may name, each with everything below it. */
  readonly paths: readonly string[];
  readonly method: string;
  /** The content type where the put had none. */
  readonly contentType: string;
}

/** How instances are run and fed. */
export interface InstanceSettings {
  readonly source: InstanceSource;
  /** How many are wanted. With endpoints one for each URL, or 0. */
  readonly count: number;
  /** Most requests that one instance works on at a time: 1 to 65,536. */
  readonly window: number;
  /** Longest call to the model; 0 = no limit. */
  readonly keepaliveMs: number;
  readonly request: ModelRequest;
  /** Statuses of the model to be counted and tried again beside those that always are. */
  readonly retryStatuses: readonly number[];
  /** How long after a lease was taken away a healthy check frees its slot. */
  readonly releaseAfterMs: number;
  readonly healthCheck: HealthCheck;
  /** How long work under way may go on when an instance has to leave. */
  readonly terminationGraceMs: number;
  /** A crashed process is kept as it is, not started again. */
  readonly keepCrashed: boolean;
}

/** What the file says of the service's main token. */
export type TokenWish =
  /** Not named: one is made, and kept over updates. */
  | { readonly kind: 'generated' }
  | { readonly kind: 'given'; readonly secret: string }
  /** Nobody is asked for one. */
  | { readonly kind: 'open' };

/** A service.json, checked. */
export interface ServiceSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly token: TokenWish;
  readonly queues: ServiceSettings;
  readonly instances: InstanceSettings;
}

/** A service as whoever runs instances gets it: the wanted state, whole, every time. */
export interface DeployedService {
  /** Never used again for another service, not even of the same name. */
  readonly number: number;
  readonly name: string;
  /** Rises with every change of the declaration, from 1. */
  readonly revision: number;
  /** The revision that last changed `instances.source`: only for it need instances be replaced;
   * everything else can be changed while they work. */
  readonly sourceRevision: number;
  readonly instances: InstanceSettings;
}

/** What runs of a service, as reported by whoever runs it. */
export interface RuntimeReport {
  /** The revision these figures are about. */
  readonly revision: number;
  readonly wanted: number;
  /** Ready for work, or busy with it, at `revision`. */
  readonly running: number;
  /** Being started, or waiting for something. */
  readonly pending: number;
  /** Ended by themselves and waiting to be started anew. */
  readonly failed: number;
  /** Why not all run, or what one should know; empty when all is well. */
  readonly message: string;
}
