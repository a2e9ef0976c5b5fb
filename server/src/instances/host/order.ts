// Who gets room first when not all instances fit. The order, in words for the manual:
//
// 1. A service that gave up room for this instance (an update whose host cannot hold old and new
//    at once, an instance that is being replaced) gets that room back.
// 2. A service with fewer instances goes before one with more, so that nobody waits for his first
//    one because another wants a hundredth.
// 3. Among equals, who has waited longer.
//
// The first one that does not fit, but could on this machine, keeps what is free: later ones pass
// it only with what it leaves. So nobody starves, and never more lies idle than one instance needs.

export interface Claim {
  readonly service: string;
  /** It gave up room that it has not got back. */
  readonly isOwed: boolean;
  /** Instances that it has, those that leave not counted. */
  readonly instances: number;
  /** Monotonic clock: since when it waits; undefined: it does not yet. */
  readonly waitsSince: number | undefined;
}

/** Which of two claims goes first; negative: the left one. */
export function compareClaims(left: Claim, right: Claim): number {
  return (
    Number(right.isOwed) - Number(left.isOwed) ||
    left.instances - right.instances ||
    sinceOf(left) - sinceOf(right)
  );
}

function sinceOf({ waitsSince }: Claim): number {
  return waitsSince ?? Number.MAX_VALUE;
}
