// The calls at the model, and the slots of abandoned ones: we have let go of them while the model
// may still work on them. Both count against the window: it is never given more than it can hold.

import type { Call, RunningCall } from './call.ts';

interface AbandonedSlot {
  /** Monotonic clock. */
  readonly since: number;
  /** Whether the source counts the slot too and wants to hear when it is free. */
  readonly voided: boolean;
}

export class Slots {
  /** All whose delivery is not settled; `#atModel` are those of them that are not answered. */
  readonly #calls = new Map<number, Call>();
  readonly #atModel = new Set<Call>();
  readonly #abandoned = new Map<number, AbandonedSlot>();

  get abandoned(): number {
    return this.#abandoned.size;
  }

  /** Requests that the model has, or may have; answered ones have left it. */
  get atModel(): number {
    return this.#atModel.size + this.#abandoned.size;
  }

  /** Deliveries not settled yet. */
  deliveryIds(): readonly number[] {
    return [...this.#calls.keys()];
  }

  calls(): readonly Call[] {
    return [...this.#calls.values()];
  }

  running(): readonly RunningCall[] {
    return this.calls().map((call) => call.view());
  }

  find(deliveryId: number): Call | undefined {
    return this.#calls.get(deliveryId);
  }

  add(call: Call): void {
    this.#calls.set(call.delivery.deliveryId, call);
    this.#atModel.add(call);
  }

  /** The exchange is over; answers how long it took. */
  answered(call: Call): number {
    this.#atModel.delete(call);
    return call.answered();
  }

  remove(call: Call): void {
    this.#atModel.delete(call);
    this.#calls.delete(call.delivery.deliveryId);
  }

  abandon(call: Call, slot: AbandonedSlot): void {
    this.#abandoned.set(call.delivery.deliveryId, slot);
  }

  /** The source has taken the lease of an abandoned call away; false: it is none. */
  markVoided(deliveryId: number): boolean {
    const slot = this.#abandoned.get(deliveryId);
    if (slot !== undefined) this.#abandoned.set(deliveryId, { since: slot.since, voided: true });
    return slot !== undefined;
  }

  /** Forgets the slots abandoned at or before `until`; answers those the source counts. */
  free(until: number): readonly number[] {
    const voided: number[] = [];
    for (const [deliveryId, slot] of this.#abandoned) {
      if (slot.since > until) continue;
      this.#abandoned.delete(deliveryId);
      if (slot.voided) voided.push(deliveryId);
    }
    return voided;
  }
}
