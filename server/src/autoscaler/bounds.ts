// Between which numbers the count of instances has to be at a moment: what the policy says, or the
// cron job whose time came last.

import type { CronJob, CronScaling, ScalingPolicy } from '../deployment/scaling.ts';
import { isOn, lastTime, readSchedule, type Schedule } from '../deployment/schedule.ts';

export interface Bounds {
  readonly min: number;
  readonly max: number;
  /** Where they come from, for reasons. */
  readonly minText: string;
  readonly maxText: string;
}

export function boundsAt(policy: ScalingPolicy, wall: number): Bounds {
  const { min, max, cron, strategies } = policy;
  const said: Bounds = { min, max, minText: `min is ${min}`, maxText: `max is ${max}` };
  const job = cron === undefined ? undefined : jobAt(cron, wall);
  if (job === undefined) return said;
  const text = `the cron job ${job.name} (${job.schedule}) wants ${job.targetSize}`;
  const target = job.targetSize;
  if (strategies.length === 0) return { min: target, max: target, minText: text, maxText: text };
  if (target <= max) return { ...said, min: target, minText: text };
  return { min: target, max: target, minText: text, maxText: text };
}

/** The job whose time came last; of several at one moment the one that is named last. */
function jobAt({ jobs, excludeDates, timeZone }: CronScaling, wall: number): CronJob | undefined {
  const excluded = excludeDates.map(readSchedule).filter(isRead);
  const isExcluded = (day: Date): boolean => excluded.some((schedule) => isOn(schedule, day));
  let latest: { readonly job: CronJob; readonly at: number } | undefined;
  for (const job of jobs) {
    const schedule = readSchedule(job.schedule);
    if (!isRead(schedule)) continue;
    const at = lastTime(schedule, wall, timeZone, isExcluded);
    if (at !== undefined && (latest === undefined || at >= latest.at)) latest = { job, at };
  }
  return latest?.job;
}

/** Services check schedules before they come here. */
function isRead(schedule: Schedule | string): schedule is Schedule {
  return typeof schedule !== 'string';
}
