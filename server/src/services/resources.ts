// What one instance is promised of the machine, and how an update replaces instances.

import type { Resources, Rolling, Share } from '../deployment/instances.ts';
import type { MetadataFile } from './file.ts';
import type { Problem } from './spelling.ts';

/** 0.5 cores are 500 thousandths; 8000 MB are 8,388,608,000 bytes. */
export function resourcesOf({ cpu, memory, gpu }: MetadataFile): Resources {
  return { cpuMillis: Math.round(cpu * 1000), memoryBytes: memory * 2 ** 20, gpus: gpu };
}

/** Two shares of which one must let an update go on: nothing may be more, nothing missing. */
export function rollingOf(
  { rolling_strategy: strategy }: MetadataFile,
  problems: Problem[],
): Rolling {
  const maxSurge = shareOf(strategy.max_surge);
  const maxUnavailable = shareOf(strategy.max_unavailable);
  if (maxSurge.value === 0 && maxUnavailable.value === 0) {
    problems.push({
      path: 'metadata.rolling_strategy',
      message:
        'lets no update go on: max_surge and max_unavailable are both 0; allow one instance more ' +
        'or one less',
    });
  }
  return { maxSurge, maxUnavailable, readyTimeoutMs: strategy.ready_timeout };
}

/** `"25%"` is a share, 2 a number. */
function shareOf(given: number | string): Share {
  return typeof given === 'number'
    ? { kind: 'count', value: given }
    : { kind: 'percent', value: Number.parseInt(given, 10) };
}
