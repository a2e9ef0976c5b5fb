// The schema of the blocks `requests` and `fetch`.

import { z } from 'zod';
import { allowProblem } from '../kernel/address-filter.ts';
import { about, duration, whole } from './fields.ts';
import type { FetchFile, RequestsFile } from './file.ts';

const gibibyte = 2 ** 30;
const bytesMax = 2 ** 40;

export const requestsSchema: z.ZodType<RequestsFile, Readonly<Record<string, unknown>>> = z.object({
  max_bytes: whole(1, bytesMax)
    .default(gibibyte)
    .meta(
      about('Largest body of a request. What is over the payload limit goes into a file.', {
        unit: 'bytes',
      }),
    ),
  max_result_bytes: whole(1, bytesMax)
    .default(gibibyte)
    .meta(
      about('Largest result of a request that keeps it; what the queue does not take: a file.', {
        unit: 'bytes',
      }),
    ),
  input: z
    .enum(['bytes', 'address'])
    .default('bytes')
    .meta(
      about(
        'What the model gets of a body that lies at an address: its bytes, or the address in the ' +
          'header `Sluice-Body-Address`.',
      ),
    ),
  on_leave: z
    .enum(['keep', 'cancel'])
    .default('keep')
    .meta(about('What becomes of a request whose submitter leaves while it waits.')),
  cancel: z
    .object({
      path: z
        .string()
        .max(4096)
        .regex(/^\/[^?#\\\s]*$/, { error: 'must begin with / and hold no ?, #, \\ or blank' })
        .optional()
        .meta(
          about(
            'Called on the instance when a request that it works on is canceled, after its call ' +
              'was cut; an answer of 2xx says that the model has let go of it.',
            { fallback: 'nothing is called' },
          ),
        ),
      method: z
        .enum(['POST', 'PUT', 'PATCH', 'GET', 'DELETE'])
        .default('POST')
        .meta(about('Method of that call.')),
      grace: duration({
        fallback: '10s',
        leastMs: 1,
        text: 'How long the model has to let go of a canceled request.',
      }),
      end_instance: z
        .boolean()
        .default(false)
        .meta(
          about(
            'An instance that has not let go by then is ended and started anew; what it works on ' +
              'beside goes to others, uncounted.',
          ),
        ),
    })
    .optional()
    .meta(about('What is done about a canceled request that a model works on.')),
});

const allowed = z.string().superRefine((entry, context) => {
  const problem = allowProblem(entry);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

const bucket = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, {
  error: 'must be the name of a bucket',
});

export const fetchSchema: z.ZodType<FetchFile, Readonly<Record<string, unknown>>> = z.object({
  allow: z
    .array(allowed)
    .max(256)
    .default([])
    .meta(
      about(
        'Networks and hosts beyond the internet that bodies may be fetched from: `10.0.0.0/8`, ' +
          '`*.example.org`.',
        { fallback: '`[]`' },
      ),
    ),
  s3_buckets: z
    .array(bucket)
    .max(256)
    .default([])
    .meta(
      about("Buckets that may be read with the server's credentials, as `s3://bucket/key`.", {
        fallback: '`[]`',
      }),
    ),
});
