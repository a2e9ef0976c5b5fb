// How a user wants the number of a service's instances to be decided: plain data without text to
// parse and without gaps. Services make it from service.json, the autoscaler acts on it.

/** What is measured. Values are per instance unless it says otherwise. */
export type ScalingMetric =
  /** `queue[avgbacklog]`: requests that wait or back off, divided by the instances. */
  | 'backlog-average'
  /** `queue[backlog]`: requests that wait or back off, of the whole service. */
  | 'backlog'
  /** `qps`, and `qps1k` with its threshold divided by 1,000: puts into the input a second. */
  | 'qps'
  /** `cpu`: percent of the cores that an instance is promised; of one core where none are. */
  | 'cpu'
  /** `gpu[util]`: percent. */
  | 'gpu'
  /** `queue[wait]`: seconds that a request put now would wait before an instance takes it. */
  | 'wait'
  /** `metric[NAME]`: the sum of the samples of this name that an instance shows at /metrics. */
  | { readonly name: string };

export interface ScalingStrategy {
  readonly metric: ScalingMetric;
  /** As it was written, for reasons and tables: `queue[avgbacklog]`. */
  readonly label: string;
  /** Above 0, in the unit of the metric. */
  readonly threshold: number;
  /** Whose metric is read; undefined: this service's. */
  readonly service: string | undefined;
}

export interface CronJob {
  readonly name: string;
  /** Five fields from minutes to days of the week, or six that begin with seconds; checked by
   * `checkSchedule` of `deployment/schedule.ts`. */
  readonly schedule: string;
  /** 0 and up. */
  readonly targetSize: number;
}

/** From the time of a job until that of the next one its target takes the place of `min`, and of
 * `max` where it is larger; without strategies it is the number of instances. */
export interface CronScaling {
  readonly jobs: readonly CronJob[];
  /** Schedules too: a job whose time is on a day that one of them names does not take place. The
   * fields below the day are passed over. */
  readonly excludeDates: readonly string[];
  /** IANA name, as `Asia/Shanghai`; the usual default is `UTC`. */
  readonly timeZone: string;
}

/** How the number of instances of one service is decided. */
export interface ScalingPolicy {
  /** 0 and up. */
  readonly min: number;
  /** At least `min` and 1, at most 3,000. */
  readonly max: number;
  /** The one that wants most wins. None: the number stays, within `min` and `max` and by `cron`. */
  readonly strategies: readonly ScalingStrategy[];
  /** `behavior.scaleUp.stabilizationWindowSeconds` (0 s): how long more must have been wanted
   * before more are started. Never waited for at 0 instances. */
  readonly scaleOutWindowMs: number;
  /** `behavior.scaleDown.stabilizationWindowSeconds` (300 s): how long fewer must have been wanted
   * before any are ended. */
  readonly scaleInWindowMs: number;
  /** `behavior.onZero.scaleDownGracePeriodSeconds` (600 s): how long no request has come, waited
   * or been worked on before the last instances are ended. */
  readonly zeroGraceMs: number;
  /** `behavior.onZero.scaleUpActivationReplicas` (1): started when work comes at 0 instances. */
  readonly activationCount: number;
  readonly cron: CronScaling | undefined;
}
