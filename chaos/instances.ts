// Services whose instances are processes that Sluice starts: programs/model.js, marked so that the
// world finds and ends them.

import { join } from 'node:path';
import { root, type World, worldVariable } from './world.ts';

export interface InstanceOptions {
  readonly name: string;
  readonly instances: number;
  /** Longest time that the model takes for one request. */
  readonly latencyMs: number;
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A service.json. */
export function instanceDefinition(
  world: World,
  { name, instances, latencyMs, env: more = {} }: InstanceOptions,
): object {
  const env = {
    [worldVariable]: world.name,
    CHAOS_PID: `${process.pid}`,
    LATENCY_MS: `${latencyMs}`,
    ...more,
  };
  return {
    metadata: { name, type: 'Async', instance: instances, rpc: { worker_threads: 4 } },
    containers: [
      {
        command: [process.execPath, join(root, 'chaos/programs/model.js')],
        env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
        health_check: { type: 'tcp', period_seconds: 0.2 },
      },
    ],
  };
}
