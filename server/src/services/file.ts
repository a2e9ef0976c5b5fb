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

/** A folder of this machine. */
export interface FolderFile {
  readonly path: string;
  readonly readOnly: boolean;
}

/** Sources that only a cloud has, or that are not fetched here. */
export const cloudStorage = ['oss', 'nfs', 'cpfs', 'git', 'image', 'dataset'] as const;

type CloudStorage = Partial<
  Record<(typeof cloudStorage)[number], Readonly<Record<string, unknown>> | undefined>
>;

export interface StorageFile extends Readonly<CloudStorage> {
  readonly mount_path: string;
  readonly local?: FolderFile | undefined;
  readonly host_path?: FolderFile | undefined;
}

export interface AutoscalerFile {
  readonly min: number;
  readonly max: number;
  readonly strategies: Readonly<Record<string, number>>;
  readonly scaleStrategies: readonly {
    readonly metricName: string;
    readonly threshold: number;
    readonly service?: string | undefined;
  }[];
  readonly behavior: {
    readonly scaleUp: { readonly stabilizationWindowSeconds: number };
    readonly scaleDown: { readonly stabilizationWindowSeconds: number };
    readonly onZero: {
      readonly scaleDownGracePeriodSeconds: number;
      readonly scaleUpActivationReplicas: number;
    };
  };
  readonly scaleJobs: readonly {
    readonly name: string;
    readonly schedule: string;
    readonly targetSize: number;
  }[];
  readonly excludeDates: readonly string[];
  readonly timeZone: string;
}

export interface MetadataFile {
  readonly name?: string | undefined;
  readonly type?: 'Async' | undefined;
  readonly instance?: number | undefined;
  /** Cores. */
  readonly cpu: number;
  /** MB. */
  readonly memory: number;
  readonly gpu: number;
  /** GB. */
  readonly shm_size: number;
  readonly rpc: {
    readonly worker_threads: number;
    readonly keepalive: number;
    readonly batching: boolean;
    readonly max_batch_size: number;
    /** Milliseconds. */
    readonly max_batch_timeout: number;
  };
  readonly rolling_strategy: {
    /** A number, or `25%`. */
    readonly max_surge: number | string;
    readonly max_unavailable: number | string;
    readonly ready_timeout: number;
  };
  readonly eas: { readonly termination_grace_period: number };
  readonly drain_timeout: number;
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
    readonly idempotency: number;
    readonly max_count: number;
    readonly max_size_mb: number;
    readonly max_result_size_mb: number;
  };
}

export interface RequestsFile {
  readonly max_bytes: number;
  readonly max_result_bytes: number;
  readonly input: 'bytes' | 'address';
  readonly on_leave: 'keep' | 'cancel';
  readonly cancel?:
    | {
        readonly path?: string | undefined;
        readonly method: 'POST' | 'PUT' | 'PATCH' | 'GET' | 'DELETE';
        readonly grace: number;
        readonly end_instance: boolean;
      }
    | undefined;
}

export interface FetchFile {
  readonly allow: readonly string[];
  readonly s3_buckets: readonly string[];
}

export interface ModelBlockFile {
  readonly allow: readonly string[];
}

export interface CallbacksFile {
  readonly allow: readonly string[];
  readonly max_result_size_kb: number;
  readonly timeout: number;
}

export interface ServiceFile {
  readonly name?: string | undefined;
  readonly metadata: MetadataFile;
  readonly token?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly endpoint?: string | readonly string[] | undefined;
  readonly containers?: readonly ContainerFile[] | undefined;
  readonly processor?: string | undefined;
  readonly processor_path?: string | undefined;
  readonly processor_entry?: string | undefined;
  readonly model_path?: string | undefined;
  readonly model_entry?: string | undefined;
  readonly model_checksum?: string | undefined;
  readonly model_config?: Readonly<Record<string, unknown>> | undefined;
  readonly model: ModelBlockFile;
  readonly autoscaler?: AutoscalerFile | undefined;
  readonly dockerAuth?: string | undefined;
  readonly storage: readonly StorageFile[];
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
  readonly requests: RequestsFile;
  readonly fetch: FetchFile;
  readonly callbacks: CallbacksFile;
}
