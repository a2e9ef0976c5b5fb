// The seam to time. Only this file reads the clock or sets a timer; everything else is given a
// Clock, so that the whole of Sluice runs on a virtual one in the simulator.

/** Two readings of one moment, both in milliseconds. */
export interface Time {
  /** Since 1970, may jump; for expiry and records. */
  readonly wall: number;
  /** Since an arbitrary start, never goes back; for leases, idle times, back-off and polls. */
  readonly mono: number;
}

export interface Timer {
  /** May be called at any time and more than once. */
  cancel(): void;
}

export interface Clock {
  now(): Time;
  /** Calls `fire` once, not before `delayMs` (0 and up) have passed. */
  after(delayMs: number, fire: () => void): Timer;
  /** Calls `run` in a coming turn of the event loop, after input and output had their chance. */
  defer(run: () => void): void;
}

// setTimeout takes a signed 32-bit number; longer waits are cut into pieces.
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => ({ wall: Date.now(), mono: performance.now() }),
  after(delayMs, fire) {
    let handle: ReturnType<typeof setTimeout>;
    const arm = (restMs: number): void => {
      const step = Math.min(restMs, longestTimerMs);
      handle = setTimeout(() => (restMs > step ? arm(restMs - step) : fire()), step);
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  defer: (run) => void setImmediate(run),
};
