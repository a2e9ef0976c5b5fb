// Time and patience of the harness: it waits for real things, so it repeats and has deadlines.

/** Lets some time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A random time between the two, so that a fault meets every moment sooner or later. */
export function someMs(least: number, most: number): number {
  return least + Math.random() * (most - least);
}

const againMs = 20;

/** Repeats what fails because the server is away; undefined when the signal ended that. */
export async function insist<T>(
  attempt: () => Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await attempt();
    } catch {
      await pause(againMs);
    }
  }
  return undefined;
}

/** Does something over and over until the signal; after a failure it rests for a moment. */
export async function repeat(act: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await act().catch(() => pause(againMs));
}

/** Whether the fact came true before the deadline; an attempt that fails counts as not yet. */
export async function comesTrue(
  fact: () => boolean | Promise<boolean>,
  deadlineMs: number,
  everyMs = 25,
): Promise<boolean> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    try {
      if (await fact()) return true;
    } catch {
      // Not yet.
    }
    if (performance.now() > until) return false;
    await pause(everyMs);
  }
}
