// How the number of a service's instances is decided, as people see it.

import type { AutoscalerInfo } from '@sluice/sdk/wire';
import type { ScalingPolicy } from '../deployment/scaling.ts';

/** The policy as it is shown; what was measured and decided is the scaler's to add. */
export function autoscalerInfo(
  service: string,
  policy: ScalingPolicy,
  wanted: number,
): AutoscalerInfo {
  const { min, max, cron } = policy;
  return {
    min,
    max,
    strategies: policy.strategies.map(({ label, threshold, service: other }) => ({
      metric: label,
      threshold: label === 'qps1k' ? threshold * 1000 : threshold,
      service: other ?? service,
      value: null,
    })),
    behavior: {
      scaleUpStabilizationSeconds: policy.scaleOutWindowMs / 1000,
      scaleDownStabilizationSeconds: policy.scaleInWindowMs / 1000,
      zeroGraceSeconds: policy.zeroGraceMs / 1000,
      activationReplicas: policy.activationCount,
    },
    cron: cron ?? null,
    wanted,
    decision: null,
  };
}
