// The schema of what is started for an instance, and of how its health is seen.

import { z } from 'zod';
import { about, ignored, portNumber, text, whole } from './fields.ts';
import type { ContainerFile, FolderFile, HealthCheckFile, StorageFile } from './file.ts';

const command = z.union([text(65_536), z.array(z.string().max(65_536)).min(1).max(1000)], {
  error: 'must be text or a list of words',
});

const probePath = z
  .string()
  .max(2048)
  .regex(/^\/[^\s#]*$/, { error: 'must begin with / and hold no blanks' });

export const healthCheckSchema: z.ZodType<
  HealthCheckFile,
  Readonly<Record<string, unknown>>
> = z.object({
  type: z
    .enum(['http', 'tcp', 'exec'])
    .optional()
    .meta(about('How to probe.', { fallback: 'http with a path, exec with a command, else tcp' })),
  path: probePath
    .optional()
    .meta(about('What an http check asks for with GET; 2xx and 3xx are healthy.')),
  port: portNumber
    .optional()
    .meta(about('The port to probe.', { fallback: "the instance's own port" })),
  command: command
    .optional()
    .meta(about('What an exec check runs in the folder of the process; exit 0 is healthy.')),
  http_get: z
    .object({
      path: probePath.default('/').meta(about('As `path`.')),
      port: portNumber.optional().meta(about('As `port`.')),
    })
    .optional()
    .meta(about('The same as type http, in the other spelling.')),
  tcp_socket: z
    .object({ port: portNumber.optional().meta(about('As `port`.')) })
    .optional()
    .meta(about('The same as type tcp, in the other spelling.')),
  exec: z
    .object({ command: command.meta(about('As `command`.')) })
    .optional()
    .meta(about('The same as type exec, in the other spelling.')),
  initial_delay_seconds: z
    .number()
    .min(0)
    .max(86_400)
    .default(600)
    .meta(
      about('How long after a start failures are forgiven; the first success ends it.', {
        unit: 's',
      }),
    ),
  period_seconds: z
    .number()
    .min(0.1)
    .max(86_400)
    .default(10)
    .meta(about('From one check to the next.', { unit: 's' })),
  timeout_seconds: z
    .number()
    .min(0.1)
    .max(3600)
    .default(5)
    .meta(about('Longest wait for the answer of a check.', { unit: 's' })),
  success_threshold: whole(1, 1000)
    .default(1)
    .meta(about('Successes in a row that make an unhealthy instance healthy.')),
  failure_threshold: whole(1, 1000)
    .default(3)
    .meta(about('Failures in a row that end an instance, unless it holds work.')),
});

const environmentEntry = z.object({
  name: z
    .string()
    .max(256)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be letters, digits and _' })
    .meta(about('Name of the variable; PORT and HOST are set by Sluice.')),
  value: z
    .union([z.string().max(65_536), z.number(), z.boolean()], { error: 'must be text' })
    .transform(String)
    .meta(about('Its value; a number or truth value is taken as text.')),
});

export const containerSchema: z.ZodType<
  ContainerFile,
  Readonly<Record<string, unknown>>
> = z.object({
  image: text(1024)
    .optional()
    .meta(about('A container image, with a tag or digest of its own: `latest` changes under you.')),
  command: command.optional().meta(
    about('One command, or a list of words. Without `image` it runs as a local process.', {
      fallback: 'what the image says',
    }),
  ),
  script: text(262_144).optional().meta(about('Lines of shell instead of `command`.')),
  port: whole(0, 65_535)
    .default(0)
    .meta(
      about(
        'Where the server listens, given as PORT. Of a process 0 is a free port each and a fixed ' +
          'port allows one; of a container 0 is 8000, and it may be the same for all.',
      ),
    ),
  env: z
    .array(environmentEntry)
    .max(1000)
    .default([])
    .meta(
      about('Variables, for a process beside a small allow-listed environment.', {
        fallback: '`[]`',
      }),
    ),
  work_dir: text(4096)
    .optional()
    .meta(about('Folder to start in.', { fallback: "the server's own, or the image's" })),
  prepare: ignored('Python packages for an image to install before its start.'),
  health_check: healthCheckSchema
    .optional()
    .meta(about('When an instance counts as ready.', { fallback: 'its port accepts TCP' })),
});

const folder: z.ZodType<FolderFile, Readonly<Record<string, unknown>>> = z.object({
  path: text(4096).meta(about('A folder of this machine, absolute.')),
  readOnly: z.boolean().default(false).meta(about('Whether the container may only read it.')),
});

const cloudSource = 'Storage of the cloud: instances stay pending.';

export const storageSchema: z.ZodType<StorageFile, Readonly<Record<string, unknown>>> = z.object({
  mount_path: text(4096).meta(about('Where the container finds it, absolute.')),
  local: folder.optional().meta(about('A folder of this machine.')),
  host_path: folder.optional().meta(about('Another name of local.')),
  oss: cloud(cloudSource),
  nfs: cloud(cloudSource),
  cpfs: cloud(cloudSource),
  git: cloud('A repository: instances stay pending.'),
  image: cloud('Files of an image: instances stay pending.'),
  dataset: cloud('A data set of the cloud: instances stay pending.'),
  properties: ignored('What kind of thing it is.'),
});

function cloud(meaning: string): z.ZodType<Readonly<Record<string, unknown>> | undefined> {
  return z.record(z.string(), z.unknown()).optional().meta(about(meaning));
}
