// The schema of the `autoscaler` block, in all its spellings: strategies by name as in service.json
// and after -D, or as a list as in EAS's REST call; times of day under the names of either.

import { z } from 'zod';
import { about, text, whole } from './fields.ts';
import type { AutoscalerFile } from './file.ts';

const seconds = (fallback: number, meaning: string): z.ZodDefault<z.ZodNumber> =>
  z
    .number()
    .min(0)
    .max(604_800)
    .default(fallback)
    .meta(about(meaning, { unit: 's' }));

const threshold = z
  .number({ error: 'must be a number above 0' })
  .gt(0, { error: 'must be a number above 0' })
  .max(1e15, { error: 'must be at most 1e15' });

const strategy = z.object({
  metricName: text(256).meta(about('The metric, named as in `strategies`.')),
  threshold: threshold.meta(about('Its value for one instance.')),
  service: text(253)
    .optional()
    .meta(about('The service whose metric is read.', { fallback: 'this one' })),
});

const job = z.object({
  name: text(256).meta(about('What it is called in events.', { also: 'Name' })),
  schedule: text(256).meta(
    about('When: five fields as in cron, or six with the second first.', { also: 'Schedule' }),
  ),
  targetSize: whole(0, 3000).meta(
    about('Least instances from then until the time of the next job.', { also: 'TargetSize' }),
  ),
});

const behavior = z.object({
  scaleUp: z
    .object({
      stabilizationWindowSeconds: seconds(
        0,
        'How long more instances must have been wanted before they are started.',
      ),
    })
    .prefault({}),
  scaleDown: z
    .object({
      stabilizationWindowSeconds: seconds(
        300,
        'How long fewer instances must have been wanted before some are ended.',
      ),
    })
    .prefault({}),
  onZero: z
    .object({
      scaleDownGracePeriodSeconds: seconds(
        600,
        'How long no request has come, waited or run before the last instances are ended.',
      ),
      scaleUpActivationReplicas: whole(1, 3000)
        .default(1)
        .meta(about('Instances to start when a request comes and there are none.')),
    })
    .prefault({}),
});

export const autoscalerSchema: z.ZodType<
  AutoscalerFile,
  Readonly<Record<string, unknown>>
> = z.object({
  min: whole(0, 3000).default(0).meta(about('Least instances.')),
  max: whole(1, 3000).meta(about('Most instances.', { fallback: 'required' })),
  strategies: z
    .record(z.string(), threshold)
    .default({})
    .meta(
      about(
        'Thresholds for one instance by metric: queue[avgbacklog], queue[backlog] (of the whole ' +
          'service), queue[wait] (seconds that a new request should wait at most), qps, qps1k, ' +
          'cpu, gpu[util], metric[NAME].',
      ),
    ),
  scaleStrategies: z
    .array(strategy)
    .max(64)
    .default([])
    .meta(about('The same as a list.', { fallback: '`[]`' })),
  behavior: behavior.prefault({}),
  scaleJobs: z
    .array(job)
    .max(256)
    .default([])
    .meta(about('Times of day that say how many.', { fallback: '`[]`', also: 'ScaleJobs' })),
  excludeDates: z
    .array(text(256))
    .max(256)
    .default([])
    .meta(
      about('Days, written as schedules, on which no job takes place.', { also: 'ExcludeDates' }),
    ),
  timeZone: text(64)
    .default('UTC')
    .meta(about('The zone of these times, as Asia/Shanghai.', { also: 'TimeZone' })),
});
