// A service.json after its spelling was settled and its values were checked one by one: nested,
// in the file's own names, durations in milliseconds. What the values mean together is decided
// elsewhere.

export interface HealthCheckFile {
  readonly type?: 'http' | 'tcp' | 'exec' | undefined;
  readonly path?: string | undefined;
  readonly port?: number | undefined;
  readonly command?: string | readonly string[] | undefined;
  readonly http_get?: { readonly path: string; readonly port?: number | undefined } | undefined;
  readonly tcp_socket?: { readonly port?: number | undefined } | undefined;
  readonly exec?: { readonly command: string | readonly string[] } | undefined;
  /** Seconds, as all the others here. */
  readonly initial_delay_seconds: number;
  readonly period_seconds: number;
  readonly timeout_seconds: number;
  readonly success_threshold: number;
  readonly failure_threshold: number;
}

export interface ContainerFile {
  readonly image?: string | undefined;
  readonly command?: string | readonly string[] | undefined;
  readonly script?: string | undefined;
  readonly port: number;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly work_dir?: string | undefined;
  readonly health_check?: HealthCheckFile | undefined;
}

export interface QueueSideFile {
  readonly max_payload_size_kb?: number | undefined;
  readonly max_length?: number | undefined;
  readonly auto_evict: boolean;
  readonly expire: number;
}

export interface QueueFile {
  /** MB. */
  readonly memory: number;
  readonly min_replica: number;
  readonly source: QueueSideFile & { readonly dedup: boolean };
  readonly sink: QueueSideFile & { readonly memory_ratio: number };
  readonly max_delivery: number;
  readonly max_idle: number;
  readonly dead_message_policy: 'Rear' | 'Drop';
  readonly dead_notice: boolean;
  readonly dead_retention: number;
  readonly group_retention: number;
  readonly resume: number;
  readonly record: {
    readonly retention: number;
    readonly max_count: number;
    readonly max_size_mb: number;
    readonly max_result_size_mb: number;
  };
}

export interface ServiceFile {
  readonly name?: string | undefined;
  readonly metadata: {
    readonly name?: string | undefined;
    readonly type?: 'Async' | undefined;
    readonly instance?: number | undefined;
    readonly rpc: { readonly worker_threads: number; readonly keepalive: number };
    readonly eas: { readonly termination_grace_period: number };
  };
  readonly token?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly endpoint?: string | readonly string[] | undefined;
  readonly containers?: readonly ContainerFile[] | undefined;
  readonly processor?: string | undefined;
  readonly processor_path?: string | undefined;
  readonly model_path?: string | undefined;
  readonly autoscaler?: { readonly min: number; readonly max: number } | undefined;
  readonly health_check?: HealthCheckFile | undefined;
  readonly request: {
    readonly path?: string | undefined;
    readonly paths: readonly string[];
    readonly method: 'POST' | 'PUT' | 'PATCH' | 'GET' | 'DELETE';
    readonly content_type: string;
  };
  readonly retry: { readonly statuses: readonly number[] };
  readonly release_after: number;
  readonly runtime: { readonly enable_crash_block: boolean };
  readonly queue: QueueFile;
}
