// Servers that already run: checked and given work, never started, never ended.

import type { Driver, Ending, Launch, Running, Survivor } from './driver.ts';

export class EndpointDriver implements Driver {
  /** Nobody tells us when such a server dies. */
  readonly cutGraceMs = 0;

  async start(launch: Launch): Promise<Running> {
    const url = new URL(launch.url ?? '');
    return {
      url,
      pid: undefined,
      port: undefined,
      hasBegun: true,
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

  /** They were never ours: none is left over, none is ended. */
  async survivors(): Promise<readonly Survivor[]> {
    return [];
  }

  async problem(): Promise<undefined> {
    return undefined;
  }
}
