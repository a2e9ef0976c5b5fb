// What running instances needs of the rest of Sluice, which the composition root connects, and what
// each instance is given of it.

import type { DeployedService } from '../deployment/service.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Driver, Ending, Survivor } from './driver.ts';
import type { MakeFeeder } from './feeder.ts';
import type { Capacity } from './host/capacity.ts';
import type { Hold } from './host/ledger.ts';

export interface Drivers {
  readonly process: Driver;
  readonly endpoint: Driver;
  /** Without one containers stay pending. */
  readonly container?: Driver;
  /** Without one processors stay pending. */
  readonly processor?: Driver;
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
  /** A service as it was declared for an earlier launch; undefined: not known any more. */
  readonly earlier?: EarlierLaunch;
}

export type EarlierLaunch = (
  service: string,
  number: number,
  sourceRevision: number,
) => DeployedService | undefined;

export type LaunchNews = (service: string, number: number, sourceRevision: number) => void;

export type LaunchFailure = (
  service: string,
  number: number,
  sourceRevision: number,
  reason: string,
) => void;

/** Everything that one instance is made of. */
export interface InstanceOptions {
  readonly name: string;
  readonly wanted: DeployedService;
  /** The address, of an endpoint. */
  readonly url: string | undefined;
  readonly driver: Driver;
  /** What it holds of the machine until it is gone. */
  readonly hold: Hold;
  /** A copy of an earlier server to go on with. */
  readonly survivor?: Survivor | undefined;
  readonly makeFeeder: MakeFeeder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly record: RecordEvent;
  /** Its state has changed. */
  readonly changed: () => void;
  /** It ended by itself, or could not be started. */
  readonly crashed: (key: string, ending: Ending, reason: string) => void;
}
