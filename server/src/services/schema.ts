// The one schema of service.json: names, ranges, defaults and a sentence for each field. The
// published JSON Schema and the manual's tables are made from it. Fields that Sluice knows and
// does not act on are listed too (`x-ignored`), so that a misspelt name can be told from a foreign
// one. Rules over several fields are not here.

import { z } from 'zod';
import { about, duration, ignored, text, whole } from './fields.ts';
import type { ServiceFile } from './file.ts';
import { autoscalerSchema } from './schema-autoscaler.ts';
import { callbacksSchema } from './schema-callbacks.ts';
import { containerSchema, healthCheckSchema, storageSchema } from './schema-containers.ts';
import { metadataSchema } from './schema-metadata.ts';
import { checksum, entry, modelConfig, modelSchema } from './schema-processor.ts';
import { queueSchema } from './schema-queue.ts';
import { fetchSchema, requestsSchema } from './schema-requests.ts';

const modelPath = z
  .string()
  .max(2048)
  .regex(/^\/[\x21-\x7e]*$/, { error: 'must begin with / and hold no blanks' })
  .refine((path) => !/[?#\\]/.test(path), { error: 'must hold no ?, # or backslash' })
  .refine((path) => !/(^|\/)\.{1,2}(\/|$)/.test(path), { error: 'must hold no . or .. part' })
  .refine((path) => !/%(?:2e|2f|5c|00)/i.test(path), { error: 'must hold no encoded . / or \\' });

/** The schema over a file whose spelling is settled: nested, without foreign fields. */
export const fileSchema: z.ZodType<ServiceFile> = z.object({
  $schema: z.string().optional().meta(about('Where the schema of this file is, for editors.')),
  name: z.string().optional().meta(about('The older place of metadata.name.')),
  metadata: metadataSchema.prefault({}),
  token: z
    .string()
    .max(256)
    .regex(/^[\x21-\x7e]*$/, { error: 'must be printable ASCII without blanks' })
    .optional()
    .meta(
      about('Access token; "" = an open service, on loopback only.', {
        fallback: 'made at the first deployment and kept',
      }),
    ),
  labels: z
    .record(z.string(), z.string().max(1024))
    .default({})
    .meta(about('Labels of the service, text by name.')),
  endpoint: z
    .union([text(2048), z.array(text(2048)).min(1).max(256)], {
      error: 'must be a URL or a list of URLs',
    })
    .optional()
    .meta(about('Model servers that already run: one URL, or a list. One instance each.')),
  containers: z
    .array(containerSchema)
    .min(1)
    .max(16)
    .optional()
    .meta(about('What to start for each instance.')),
  health_check: healthCheckSchema
    .optional()
    .meta(about('The same as containers[].health_check; the only place for an endpoint.')),
  request: z
    .object({
      path: modelPath
        .optional()
        .meta(about('Path of the call to the model.', { fallback: 'that of the endpoint, or /' })),
      paths: z
        .array(modelPath)
        .max(256)
        .default([])
        .meta(about('Further paths that a put may name; paths below them included.')),
      method: z
        .enum(['POST', 'PUT', 'PATCH', 'GET', 'DELETE'])
        .default('POST')
        .meta(about('Method of the call.')),
      content_type: z
        .string()
        .max(256)
        .regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;[\x20-\x7e]*)?$/, {
          error: 'must be a media type such as application/json',
        })
        .default('application/octet-stream')
        .meta(about('Content type of the call where the put named none.')),
    })
    .prefault({}),
  retry: z
    .object({
      statuses: z
        .array(whole(300, 599))
        .max(300)
        .default([])
        .meta(
          about('Statuses of the model to try again, counted; 408, 425, 502 and 504 always are.'),
        ),
    })
    .prefault({}),
  release_after: duration({
    fallback: '30s',
    text: 'After how long a healthy check frees the slot of a lease that was taken away.',
  }),
  queue: queueSchema.prefault({}),
  requests: requestsSchema.prefault({}),
  fetch: fetchSchema.prefault({}),
  callbacks: callbacksSchema.prefault({}),
  autoscaler: autoscalerSchema
    .optional()
    .meta(about('How the number of instances follows the load.')),
  processor: text(1024)
    .optional()
    .meta(about('The model server that ships with Sluice: pmml, onnx, node or python.')),
  processor_path: text(4096)
    .optional()
    .meta(about('The program of processor node or python; the address is as that of model_path.')),
  processor_entry: entry
    .optional()
    .meta(about('The file of the program in its folder or archive.')),
  model_path: text(4096)
    .optional()
    .meta(
      about(
        'The model of a processor: an absolute path, or an address of http(s), s3 or oss; ' +
          '`#sha256=HEX` at its end is checked.',
      ),
    ),
  model_entry: entry.optional().meta(about('The file of the model in its folder or archive.')),
  model_checksum: checksum
    .optional()
    .meta(about('`sha256:HEX` of what lies at model_path.', { fallback: 'not checked' })),
  model_config: modelConfig
    .optional()
    .meta(about('Settings of the model; its processor says which there are.')),
  model: modelSchema.prefault({}),
  processor_mainclass: ignored('Main class of a processor.'),
  processor_type: ignored('Language of a processor.'),
  oss_endpoint: ignored('Where the object store is.'),
  cloud: ignored('Machine types and networks of the cloud.'),
  dockerAuth: z
    .string()
    .max(8192)
    .optional()
    .meta(about("Login of the image's registry: base64 of user:password.")),
  networking: ignored('Gateway and its limits.'),
  storage: z
    .array(storageSchema)
    .max(64)
    .default([])
    .meta(about('What a container finds in its folders.', { fallback: '`[]`' })),
  warm_up_data_path: ignored('Requests to replay before traffic.'),
  runtime: z
    .object({
      enable_crash_block: z
        .boolean()
        .default(false)
        .meta(about('A crashed process is kept as it is, not started again.')),
    })
    .prefault({}),
  unit: ignored('Machines of one instance.'),
  sinker: ignored('Where to keep all requests and answers.'),
  aimaster: ignored('Cloud specific.'),
  confidential: ignored('Cloud specific.'),
  features: ignored('Cloud specific.'),
  generate_token: ignored('An older switch for tokens.'),
});

/** The schema as plain data, in the shape of a file before defaults are filled in. */
export function fileJsonSchema(): unknown {
  return z.toJSONSchema(fileSchema, { io: 'input' });
}
