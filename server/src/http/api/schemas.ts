// The shapes of the administrative API as zod schemas: requests are checked with them and the
// OpenAPI document is made from them. `satisfies` holds them to the types that the SDK publishes.

import type {
  ApplyAnswer,
  AutoscalerInfo,
  FieldChange,
  InstanceInfo,
  LastExit,
  NewToken,
  Problem,
  QueueInfo,
  RevisionDescription,
  RevisionInfo,
  Scope,
  ServerInfo,
  ServiceDescription,
  ServiceSummary,
  ServiceWebhooks,
  TokenInfo,
  WebhookPublicKey,
} from '@sluice/sdk/wire';
import { z } from 'zod';

const count = z.int().min(0);
const instant = z.string().describe('RFC 3339, UTC; empty = never.');

const status = z.enum([
  'Creating',
  'Starting',
  'Running',
  'Pending',
  'Updating',
  'Scaling',
  'Stopping',
  'Stopped',
  'Failed',
  'Deleting',
  'DeleteFailed',
]);

const summary = z.object({
  name: z.string(),
  status,
  message: z.string().describe('Why it is not running; empty when all is well.'),
  revision: count,
  instances: z.object({ wanted: count, running: count, pending: count, failed: count }),
  waiting: count.describe('Requests that wait or back off.'),
  running: count.describe('Requests being worked on.'),
  results: count.describe('Results in the sink queue.'),
  createdAt: instant,
  updatedAt: instant,
}) satisfies z.ZodType<ServiceSummary>;

const description = summary.extend({
  endpoint: z.string(),
  token: z.string(),
  definition: z.unknown(),
  warnings: z.array(z.string()),
  sourceRevision: count.describe('The revision that instances were first launched as.'),
  rollout: z.object({ state: z.enum(['done', 'rolling', 'failed']), text: z.string() }),
  source: z.string().describe('process, container, endpoint, none or pending.'),
  image: z.string(),
  resources: z
    .object({ cpuMillis: count, memoryBytes: count, gpus: count })
    .describe('What one instance is promised; 0 = nothing is said.'),
  autoscaled: z.boolean(),
}) satisfies z.ZodType<ServiceDescription>;

const change = z.object({
  path: z.string(),
  before: z.unknown().describe('null = not there; a secret is ***.'),
  after: z.unknown(),
}) satisfies z.ZodType<FieldChange>;

const applied = z.object({
  outcome: z.enum(['created', 'updated', 'unchanged']),
  name: z.string(),
  revision: count,
  endpoint: z.string(),
  token: z.string(),
  warnings: z.array(z.string()),
  changes: z.array(change),
  rollsOut: z.boolean().describe('Whether instances are replaced.'),
}) satisfies z.ZodType<ApplyAnswer>;

const revision = z.object({
  revision: count,
  sourceRevision: count.describe('The revision as which its instances were first launched.'),
  at: instant,
  changed: z.array(z.string()),
  current: z.boolean(),
  kept: z.boolean().describe('Whether one can switch back to it.'),
  text: z.string().describe('How it came to be.'),
}) satisfies z.ZodType<RevisionInfo>;

const revisionDescription = revision.extend({
  definition: z.unknown(),
}) satisfies z.ZodType<RevisionDescription>;

const job = z.object({ name: z.string(), schedule: z.string(), targetSize: count });

const autoscaler = z.object({
  min: count,
  max: count,
  strategies: z.array(
    z.object({
      metric: z.string(),
      threshold: z.number(),
      service: z.string(),
      value: z.number().nullable().describe('As last measured.'),
    }),
  ),
  behavior: z.object({
    scaleUpStabilizationSeconds: z.number(),
    scaleDownStabilizationSeconds: z.number(),
    zeroGraceSeconds: z.number(),
    activationReplicas: count,
  }),
  cron: z
    .object({ timeZone: z.string(), jobs: z.array(job), excludeDates: z.array(z.string()) })
    .nullable(),
  wanted: count,
  decision: z
    .object({ at: instant, count, reason: z.string() })
    .nullable()
    .describe('What was decided last.'),
}) satisfies z.ZodType<AutoscalerInfo>;

const lastExit = z.object({
  code: z.int().nullable(),
  signal: z.string().nullable(),
  reason: z.string(),
  startedAt: instant,
  endedAt: instant,
  lines: z.array(z.string()),
}) satisfies z.ZodType<LastExit>;

const instance = z.object({
  name: z.string(),
  kind: z.string(),
  state: z.string(),
  message: z.string(),
  address: z.string(),
  pid: count.describe('0 = none.'),
  revision: count,
  startedAt: instant,
  restarts: count,
  window: count,
  busy: count,
  ready: z.boolean(),
  host: z.string().describe("Empty = the server's own machine."),
  version: z.string().optional().describe('Of the program there, on another machine.'),
  lastExit: lastExit.nullable().describe('How its run before this one ended.'),
}) satisfies z.ZodType<InstanceInfo>;

const queueName: z.ZodType<QueueInfo['name']> = z.enum(['input', 'sink', 'inputRear', 'sinkRear']);

const consumer = z.object({
  gid: z.string(),
  uid: z.string(),
  index: count,
  pending: count,
  status: z.string(),
  idleMs: z.number(),
  window: count,
  slots: count,
  autoCommit: z.boolean(),
  tags: z.record(z.string(), z.string()),
  suspect: count.describe('The suspect that it holds alone, or is reserved for; 0 = none.'),
});

const suspect = z.object({
  gid: z.string(),
  index: count,
  uid: z.string().describe('Who holds it, or is to have it once it is empty; may be empty.'),
  isHeld: z.boolean(),
});

const group = z.object({
  gid: z.string(),
  index: count,
  pending: count,
  delivered: count,
  consumers: count,
});

const counters = z.object({
  put: count,
  refused: count,
  repeated: count,
  delivered: count,
  completed: count,
  returned: count,
  dead: count,
  evicted: count,
  expired: count,
  stale: count,
});

const queue = z.object({
  name: queueName,
  ended: z.boolean(),
  payloadBytesMax: count,
  capacity: count,
  length: count,
  waiting: count,
  backingOff: count,
  leased: count,
  reserved: count,
  firstIndex: count,
  lastIndex: count,
  consumers: z.array(consumer),
  groups: z.array(group),
  suspects: z.array(suspect).describe('Messages that wait for an instance of their own.'),
  counters: counters.describe('Since the server was started.'),
}) satisfies z.ZodType<QueueInfo>;

const scope = z.enum(['submit', 'read', 'consume', 'admin']);

const token = z.object({
  name: z.string(),
  scopes: z.array(scope),
}) satisfies z.ZodType<TokenInfo>;

const newToken = token.extend({ token: z.string() }) satisfies z.ZodType<NewToken>;

const webhookKey = z.object({
  key: z.string().describe('whpk_ and the key in base64.'),
  createdAt: z.string(),
  until: z.string().nullable().describe('Signs until then; null = until it is rotated.'),
}) satisfies z.ZodType<WebhookPublicKey>;

const webhooks = z.object({
  service: z.string(),
  keys: z.array(
    z.object({
      secret: z.string().describe('whsec_ and the secret in base64.'),
      publicKey: z.string(),
      createdAt: z.string(),
      until: z.string().nullable(),
    }),
  ),
  pending: count.describe('Callbacks that were not delivered yet.'),
  closed: z
    .array(z.object({ url: z.string(), at: z.string() }))
    .describe('Addresses that answered 410 and get no more callbacks.'),
}) satisfies z.ZodType<ServiceWebhooks>;

const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  mistakes: z.array(z.string()).exactOptional(),
}) satisfies z.ZodType<Problem>;

const server = z.object({
  name: z.literal('sluice'),
  version: z.string(),
  engine: z.string(),
  startedAt: instant,
  survivesProcess: z.boolean(),
  survivesPower: z.boolean(),
}) satisfies z.ZodType<ServerInfo>;

/** What answers are made of; the names are those of the OpenAPI document. */
export const answers: Readonly<Record<AnswerName, z.ZodType>> = {
  ServiceSummary: summary,
  ServiceDescription: description,
  ApplyAnswer: applied,
  RevisionInfo: revision,
  RevisionDescription: revisionDescription,
  AutoscalerInfo: autoscaler.nullable(),
  InstanceInfo: instance,
  QueueInfo: queue,
  TokenInfo: token,
  NewToken: newToken,
  ServiceWebhooks: webhooks,
  WebhookPublicKey: webhookKey,
  Problem: problem,
  ServerInfo: server,
};

export type AnswerName =
  | 'ServiceSummary'
  | 'ServiceDescription'
  | 'ApplyAnswer'
  | 'RevisionInfo'
  | 'RevisionDescription'
  | 'AutoscalerInfo'
  | 'InstanceInfo'
  | 'QueueInfo'
  | 'TokenInfo'
  | 'NewToken'
  | 'ServiceWebhooks'
  | 'WebhookPublicKey'
  | 'Problem'
  | 'ServerInfo';

/** A parameter that is the word true or false. */
export const truth: z.ZodType<boolean, string | undefined> = z
  .enum(['true', 'false'])
  .default('false')
  .transform((word) => word === 'true');

/** Names in addresses; what a valid name is, says whoever makes the thing. */
export const pathName: z.ZodType<string> = z.string().min(1).max(253);

/** A queue of a service in a body. */
export const bodyQueue: z.ZodType<QueueInfo['name']> = queueName;

export const bodyScopes: z.ZodType<Scope[]> = z
  .array(scope)
  .min(1, 'name at least one of submit, read, consume, admin');
