// Servers that already run: checked and given work, never started, never ended.

import type { Driver, Ending, Launch, Running } from './driver.ts';

export class EndpointDriver implements Driver {
  /** Nobody tells us when such a server dies. */
  readonly cutGraceMs = 0;

  async start(launch: Launch): Promise<Running> {
    const url = new URL(launch.url ?? '');
    return {
      url,
      pid: undefined,
      port: undefined,
      ended: new Promise<Ending>(() => undefined),
      stop: async () => undefined,
      kill: () => undefined,
      exec: undefined,
    };
  }

  logs(): undefined {
    return undefined;
  }

  async lastLines(): Promise<readonly string[]> {
    return [];
  }

  async forget(): Promise<void> {
    // Nothing is kept of it.
  }

  async clear(): Promise<void> {
    // It was never ours to end.
  }
}
