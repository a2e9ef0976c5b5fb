// Rule 8 as clients can see it: nobody is given a message while a better one has been waiting for
// so long that everybody must know of it.

import { mayBeSuspect } from './deaths.ts';
import { type Entry, isBefore, type Ledger } from './ledger.ts';
import { serviceName } from './service.ts';
import type { Stage } from './stage.ts';
import { Violation } from './trace.ts';

/** Longer than any flush, read and turn together: what was so for this long has been seen. */
const settledMs = 300;
/** Longer than the read of a payload and a flush. */
export const onTheWayMs = 200;

/** What keeps messages from being seen soon after they were delivered. */
interface Flow {
  /** Connections lost so far. */
  readonly losses: number;
  isFlowingSince(mono: number): boolean;
}

export class OrderCheck {
  readonly #stage: Stage;
  readonly #ledger: Ledger;
  readonly #holders: Flow;

  constructor(stage: Stage, ledger: Ledger, holders: Flow) {
    this.#stage = stage;
    this.#ledger = ledger;
    this.#holders = holders;
  }

  /** `chosen` was given to a holder of the working group under this token. */
  check(holder: string, chosen: Entry, deliveryId: number): void {
    const before = this.#stage.now - settledMs;
    // A lease that nobody saw may wait for its holder to come back for so long.
    if (!this.#stage.isSteadySince(before - this.#stage.settings.resumeMs)) return;
    if (!this.#holders.isFlowingSince(before)) return;
    const needsPlace = !chosen.hasPlace && chosen.home === 'sink';
    for (const other of this.#ledger.entries) {
      if (other.waitingSince > before || other.causes.size > 0 || other.removals > 0) continue;
      if (other.isGone || other.lastReturnedBy === holder || !isBefore(other, chosen)) continue;
      // They wait for an instance of their own.
      if (mayBeSuspect(chosen) || mayBeSuspect(other)) continue;
      const isServed = other.hasPlace || other.home === 'record' || needsPlace;
      if (isServed) this.#suspect(holder, chosen, deliveryId, other);
    }
  }

  /** A better message seems to have been passed over. Perhaps it is on its way to another consumer,
   * under an earlier token, its payload still being read: it must come soon. */
  #suspect(holder: string, chosen: Entry, deliveryId: number, other: Entry): void {
    const { losses } = this.#holders;
    const since = this.#stage.now;
    this.#stage.clock.after(onTheWayMs, () => {
      const isUpset = this.#holders.losses > losses || !this.#stage.isSteadySince(since);
      const isFlowing = this.#holders.isFlowingSince(since);
      if (isUpset || !isFlowing || other.causes.size > 0) return;
      const lease = other.leases.find(({ at, gid }) => at >= since && gid === serviceName);
      const isEarlier = lease !== undefined && lease.deliveryId < deliveryId;
      if (isEarlier && lease.holder !== holder) return;
      const text = `${chosen.index} was delivered before ${other.index}`;
      this.#stage.failure ??= new Violation(`rule 8: ${text}`);
    });
  }
}
