// How a user wants instances to be run and fed: plain data without text to parse and without gaps.
// Services make it from service.json, instances act on it, neither knows the other.

/** One shell text. */
export interface ShellText {
  /** `command`: one command, to be replaced by it (`exec`); `script`: lines of shell. */
  readonly form: 'command' | 'script';
  readonly text: string;
}

/** A process to start: its text is run by bash in a process group of its own. */
export interface ProcessSource extends ShellText {
  readonly kind: 'process';
  /** 0: a free port is chosen for each process. Given as PORT either way, with HOST. */
  readonly port: number;
  /** Added to the allow-listed environment; never holds PORT or HOST. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder to start in; undefined: the server's own. A relative one is below that. */
  readonly workDir: string | undefined;
}

/** A folder of this machine in a container. */
export interface Mount {
  /** Absolute, on this machine. */
  readonly from: string;
  /** Absolute, in the container. */
  readonly to: string;
  readonly readOnly: boolean;
}

/** A container to start, of an image that a Docker Engine has or pulls. */
export interface ContainerSource {
  readonly kind: 'container';
  /** As it was written: `registry:5000/name:tag`, `name@sha256:...`. */
  readonly image: string;
  /** undefined: what the image says. Run by the image's own `/bin/sh`. */
  readonly run: ShellText | readonly string[] | undefined;
  /** The port inside that the server listens on; published on loopback at a free port. Given as
   * PORT, with HOST 0.0.0.0. */
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  /** The folder inside to start in; undefined: the image's. */
  readonly workDir: string | undefined;
  readonly mounts: readonly Mount[];
  /** Size of /dev/shm; 0 = the engine's default. */
  readonly shmBytes: number;
  /** base64 of `user:password` for the image's registry; undefined: none. A secret. */
  readonly dockerAuth: string | undefined;
}

/** Servers that already run, one instance each: checked and given work, never started. */
export interface EndpointSource {
  readonly kind: 'endpoint';
  readonly urls: readonly string[];
}

/** The kinds of processors that this Sluice has. */
export const processorKinds = ['pmml', 'onnx', 'node', 'python'] as const;

/** Where a model or a program lies. */
export interface ModelFile {
  /** A path of this machine, or an address of http(s), s3, oss. */
  readonly address: string;
  /** `sha256:HEX` of the file as it is fetched; undefined: not checked. */
  readonly checksum: string | undefined;
}

/** A model that a server of Sluice's own runs, one process for each instance. */
export interface ProcessorSource {
  readonly kind: 'processor';
  readonly processor: (typeof processorKinds)[number];
  readonly model: ModelFile | undefined;
  /** The program of kinds that run one, where it does not come with the model. */
  readonly code: ModelFile | undefined;
  /** The file to use in a folder or archive. */
  readonly entry: string | undefined;
  /** Settings of the model, as they were written: a secret may be among them. */
  readonly config: Readonly<Record<string, unknown>> | undefined;
  /** undefined: each call is worked on by itself. */
  readonly batching: { readonly sizeMax: number; readonly delayMs: number } | undefined;
  /** Most calls at a time, as far as it matters to the processor itself. */
  readonly window: number;
  /** Networks and hosts beyond the internet that it may be fetched from. */
  readonly allow: readonly string[];
}

/** Where instances come from. */
export type InstanceSource =
  | EndpointSource
  | ProcessSource
  | ContainerSource
  | ProcessorSource
  /** Queues only; instances of other machines may join. */
  | { readonly kind: 'none' }
  /** Declared, but nothing here can run it: instances stay pending, `missing` says why. */
  | { readonly kind: 'pending'; readonly missing: string };

/** What one instance is promised of the machine; 0 = nothing is said, nothing is counted. */
export interface Resources {
  /** Cores, in thousandths. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** Whole accelerators. */
  readonly gpus: number;
}

/** A number of instances, or a share of those that are wanted. */
export type Share =
  | { readonly kind: 'count'; readonly value: number }
  | { readonly kind: 'percent'; readonly value: number };

/** How an update replaces instances. */
export interface Rolling {
  /** Instances above the wanted number while it goes on; a share is rounded up. */
  readonly maxSurge: Share;
  /** Instances that may be missing while it goes on; a share is rounded down. */
  readonly maxUnavailable: Share;
  /** A revision none of whose instances is ready after so long has failed; pulls are not counted. */
  readonly readyTimeoutMs: number;
}

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

/** What stops the model when a request that it works on is canceled. */
export interface CancelSettings {
  /** Called on the instance; an answer of 2xx says that it is free of the request. undefined: there
   * is nothing to call. */
  readonly path: string | undefined;
  readonly method: string;
  /** How long the model has to be free. */
  readonly graceMs: number;
  /** The instance is ended when it is not free by then. */
  readonly endsInstance: boolean;
}

/** What the feeder of an instance acts on; changed while it works. */
export interface FeedSettings {
  /** Most requests that one instance works on at a time: 1 to 65,536. */
  readonly window: number;
  /** Longest call to the model; 0 = no limit. */
  readonly keepaliveMs: number;
  readonly request: ModelRequest;
  /** Statuses of the model to be counted and tried again beside those that always are. */
  readonly retryStatuses: readonly number[];
  /** How long after a lease was taken away a healthy check frees its slot. */
  readonly releaseAfterMs: number;
  /** undefined: nothing is done but to abort the call. */
  readonly cancel?: CancelSettings | undefined;
}

/** How instances are run and fed. */
export interface InstanceSettings extends FeedSettings {
  readonly source: InstanceSource;
  /** How many are wanted. With endpoints one for each URL, or 0. */
  readonly count: number;
  readonly resources: Resources;
  readonly rolling: Rolling;
  readonly healthCheck: HealthCheck;
  /** Between asking an instance to end (SIGTERM), once its last running request has ended, and
   * making it (SIGKILL). */
  readonly terminationGraceMs: number;
  /** Longest wait for running requests when an instance leaves; 0 = as long as they take. What
   * then still runs is given back uncounted. */
  readonly drainTimeoutMs: number;
  /** A crashed process is kept as it is, not started again. */
  readonly keepCrashed: boolean;
}

/** What an instance is doing. */
export type InstanceState =
  /** It cannot be started, or not yet. */
  | 'Pending'
  /** Its image is being fetched. */
  | 'Pulling'
  /** It runs; no check has passed yet. */
  | 'Starting'
  /** Ready for work, or at work. */
  | 'Running'
  /** Too busy to answer its check. */
  | 'Busy'
  /** Its checks fail. */
  | 'Unhealthy'
  /** It takes nothing new, finishes what it has, and ends. */
  | 'Draining'
  /** It ended by itself and waits for its next start. */
  | 'CrashLoop'
  | 'Terminated';
