// The schema of the `callbacks` block.

import { z } from 'zod';
import { allowProblem } from '../kernel/address-filter.ts';
import { about, duration, whole } from './fields.ts';
import type { CallbacksFile } from './file.ts';

const allowed = z
  .string()
  .max(256)
  .superRefine((entry, context) => {
    const message = allowProblem(entry);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

export const callbacksSchema: z.ZodType<
  CallbacksFile,
  Readonly<Record<string, unknown>>
> = z.object({
  allow: z
    .array(allowed)
    .max(256)
    .default([])
    .meta(
      about(
        'Networks and hosts beyond the internet that callbacks may go to: `10.0.0.0/8`, ' +
          '`*.example.org`.',
        { fallback: '`[]`' },
      ),
    ),
  max_result_size_kb: whole(0, 1024)
    .default(16)
    .meta(
      about('A larger result is not in the callback itself; 0 = none ever is.', {
        unit: 'KB = 2^10 bytes',
      }),
    ),
  timeout: duration({
    fallback: '20s',
    leastMs: 1000,
    text: 'How long one attempt to deliver a callback may take.',
  }),
});
