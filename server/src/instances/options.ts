// What running instances needs of the rest of Sluice. The composition root connects it.

import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Driver } from './driver.ts';
import type { MakeFeeder } from './feeder.ts';
import type { Capacity } from './host/capacity.ts';

export interface Drivers {
  readonly process: Driver;
  readonly endpoint: Driver;
  /** Without one containers stay pending. */
  readonly container?: Driver;
}

export interface ManagerOptions {
  readonly drivers: Drivers;
  readonly makeFeeder: MakeFeeder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What the machine has for all instances; default: more than they can want, no accelerator. */
  readonly capacity?: () => Promise<Capacity>;
  /** Takes what happens to instances and updates. */
  readonly record?: RecordEvent;
  /** Called once for a launch none of whose instances became ready; older ones go on. */
  readonly rolloutFailed?: LaunchFailure;
  /** Called once for a launch, when its first instance is ready. */
  readonly proven?: LaunchNews;
}

export type LaunchNews = (service: string, number: number, sourceRevision: number) => void;

export type LaunchFailure = (
  service: string,
  number: number,
  sourceRevision: number,
  reason: string,
) => void;
