// The schema of the `metadata` block: name and number of instances, what one of them is promised of
// the machine, how calls are bounded, and how instances are replaced and ended.

import { z } from 'zod';
import { about, duration, ignored, share, whole } from './fields.ts';
import type { MetadataFile } from './file.ts';

const rpc = z.object({
  worker_threads: whole(1, 65_536)
    .default(5)
    .meta(about('Window: most requests that one instance works on at a time.')),
  keepalive: duration({
    fallback: 600_000,
    numbers: 'ms',
    text: 'Longest call to the model; 0 = no limit.',
  }),
  max_queue_size: ignored('Length of a queue inside the instance.'),
  io_threads: ignored('Threads for input and output.'),
  batching: z
    .boolean()
    .default(false)
    .meta(about('Whether a processor works on the rows of several calls together.')),
  max_batch_size: whole(1, 65_536).default(16).meta(about('Most rows of such a batch.')),
  max_batch_timeout: duration({
    fallback: 50,
    numbers: 'ms',
    text: 'How long such a batch gathers.',
  }),
  rate_limit: ignored('Requests a second for one instance.'),
  enable_sigterm: ignored('SIGTERM at once when an instance leaves.'),
  decompressor: ignored('How request bodies are compressed.'),
});

const rollingStrategy = z.object({
  max_surge: share
    .default('2%')
    .meta(about('Instances above the wanted number while an update goes on; a share rounds up.')),
  max_unavailable: share
    .default(0)
    .meta(about('Instances that may be missing while an update goes on; a share rounds down.')),
  ready_timeout: duration({
    fallback: '10m',
    leastMs: 1000,
    text:
      'An update none of whose instances is ready after so long is rolled back; ' +
      'fetching an image is not counted.',
  }),
});

export const metadataSchema: z.ZodType<MetadataFile, Readonly<Record<string, unknown>>> = z.object({
  name: z
    .string()
    .optional()
    .meta(
      about('Name of the service: letters, digits, _ and -, with a group in front as group.name.'),
    ),
  type: z
    .enum(['Async'])
    .optional()
    .meta(about('Kind of service; Async is the one that Sluice has.', { fallback: 'Async' })),
  instance: whole(0, 10_000)
    .optional()
    .meta(
      about('How many instances; 0 = queues only. With an autoscaler: how many to begin with.', {
        fallback: 'one for each endpoint, autoscaler.min with an autoscaler, else required',
      }),
    ),
  cpu: z
    .number()
    .min(0)
    .max(10_000)
    .default(0)
    .meta(
      about(
        'What one instance is promised of the processors, and what a container is held to; ' +
          '0 = nothing is counted.',
        { unit: 'cores, 0.5 is half of one' },
      ),
    ),
  memory: whole(0, 2 ** 26)
    .default(0)
    .meta(
      about(
        'What one instance is promised of the memory, and what a container is held to; ' +
          '0 = nothing is counted.',
        { unit: 'MB = 2^20 bytes' },
      ),
    ),
  gpu: whole(0, 1024).default(0).meta(about('Accelerators that one instance has for itself.')),
  shm_size: z
    .number()
    .min(0)
    .max(65_536)
    .default(0)
    .meta(
      about("Shared memory of a container; 0 = the engine's default.", {
        unit: 'GB = 2^30 bytes',
      }),
    ),
  rpc: rpc.prefault({}),
  rolling_strategy: rollingStrategy.prefault({}),
  eas: z
    .object({
      termination_grace_period: duration({
        fallback: 30,
        numbers: 's',
        text:
          'From asking an instance to end, after its last running request, to making it; ' +
          'at once with --force and --now.',
      }),
    })
    .prefault({}),
  drain_timeout: duration({
    fallback: 0,
    text:
      'Longest wait for the running requests of an instance that has to leave; what still runs ' +
      'then is given back uncounted. 0 = as long as they take.',
  }),
  scheduling: ignored('Spreading over hosts and zones.'),
  gpu_memory: ignored('Share of accelerator memory.'),
  gpu_core_percentage: ignored('Share of accelerator cores.'),
  qos: ignored('Sharing of cores.'),
  resource: ignored('Resource group.'),
  cuda: ignored('CUDA version.'),
  rdma: ignored('RDMA network.'),
  disk: ignored('Disk of an instance.'),
  enable_grpc: ignored('gRPC on the gateway.'),
  enable_webservice: ignored('Web application.'),
  workload_type: ignored('Kind of workload.'),
  workspace_id: ignored('Workspace.'),
  group: ignored('Service group.'),
  region: ignored('Region.'),
  resource_rebalancing: ignored('Moving between resource groups.'),
  resource_burstable: ignored('Spilling into the public pool.'),
});
