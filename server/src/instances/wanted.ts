// What is wanted of a service's instances: plain data, whole, every time. The composition root
// hands it over from the checked declarations; nothing here knows how those are written.

/** A process to start: one shell text, run by bash in a process group of its own. */
export interface ProcessSource {
  readonly kind: 'process';
  /** `command` replaces its shell; `script` is lines of shell. */
  readonly form: 'command' | 'script';
  readonly text: string;
  /** 0: a free port is chosen for each process. Given as PORT either way, with HOST. */
  readonly port: number;
  /** Added to the allow-listed environment. */
  readonly env: Readonly<Record<string, string>>;
  /** undefined: the server's own folder. */
  readonly workDir: string | undefined;
}

export interface EndpointSource {
  readonly kind: 'endpoint';
  readonly urls: readonly string[];
}

export type InstanceSource =
  | EndpointSource
  | ProcessSource
  /** Queues only. */
  | { readonly kind: 'none' }
  /** Nothing here can run it; `missing` says what is. */
  | { readonly kind: 'pending'; readonly missing: string };

export interface HealthCheck {
  readonly probe:
    | { readonly kind: 'tcp' }
    | { readonly kind: 'http'; readonly path: string }
    | { readonly kind: 'exec'; readonly argv: readonly string[] };
  /** undefined: the port of the instance. */
  readonly port: number | undefined;
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** What the feeder of an instance acts on; changed while it works. */
export interface FeedSettings {
  readonly window: number;
  readonly keepaliveMs: number;
  readonly request: {
    readonly path: string;
    readonly paths: readonly string[];
    readonly method: string;
    readonly contentType: string;
  };
  readonly retryStatuses: readonly number[];
  readonly releaseAfterMs: number;
}

export interface WantedInstances extends FeedSettings {
  readonly source: InstanceSource;
  /** How many copies; with endpoints 0, or as many of the addresses. */
  readonly count: number;
  readonly healthCheck: HealthCheck;
  /** Between asking a process to end (SIGTERM) and making it (SIGKILL). */
  readonly terminationGraceMs: number;
  /** Keep a crashed process as it is instead of starting it again. */
  readonly keepCrashed?: boolean;
}

export interface WantedService {
  /** Never used again for another service, not even of the same name. */
  readonly number: number;
  readonly name: string;
  readonly revision: number;
  /** The revision that last changed `instances.source`: only for it are instances replaced. */
  readonly sourceRevision: number;
  readonly instances: WantedInstances;
}

/** Copies of equal keys are the same thing; the rest can be changed while they work. */
export function launchKey(service: WantedService): string {
  return `${service.number}.${service.sourceRevision}`;
}

/** Whether a copy of that key belongs to the service of that number. */
export function isOfService(key: string, number: number): boolean {
  return key.startsWith(`${number}.`);
}
