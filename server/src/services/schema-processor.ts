// The schema of what makes a service of a model file: which checksums, entries and settings are
// possible, and the block `model`.

import { z } from 'zod';
import { allowProblem } from '../kernel/address-filter.ts';
import { about } from './fields.ts';
import type { ModelBlockFile } from './file.ts';

/** `sha256:HEX`. */
export const checksum: z.ZodString = z.string().regex(/^sha256:[0-9a-f]{64}$/i, {
  error: 'must be sha256: and 64 hexadecimal digits',
});

/** A file of a folder or archive. */
export const entry: z.ZodString = z
  .string()
  .min(1)
  .max(1024)
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), {
    error: 'must be a path below the folder, without ..',
  });

/** Any JSON object; checked by the processor itself when it loads the model. */
export const modelConfig: z.ZodRecord<z.ZodString, z.ZodUnknown> = z.record(
  z.string(),
  z.unknown(),
);

const allowed = z.string().superRefine((each, context) => {
  const problem = allowProblem(each);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

export const modelSchema: z.ZodType<ModelBlockFile, Readonly<Record<string, unknown>>> = z.object({
  allow: z
    .array(allowed)
    .max(256)
    .default([])
    .meta(
      about(
        'Networks and hosts beyond the internet that model_path and processor_path may be ' +
          'fetched from: `10.0.0.0/8`, `*.example.org`.',
        { fallback: '`[]`' },
      ),
    ),
});
