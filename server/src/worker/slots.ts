// The calls at the model, and the slots of abandoned ones: we, or a Sluice before us, have let go
// of them while the model may still work on them. All count against the window: it is never given
// more than it can hold.

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

  /** Of the abandoned, those that the source knows nothing of: its window has to be smaller. */
  #inherited = 0;

  get inherited(): number {
    return this.#inherited;
  }

  /** Calls that a Sluice before us left at the model. */
  inherit(count: number, since: number): void {
    this.#inherited = count;
    // Delivery ids are positive.
    for (let at = 1; at <= count; at += 1) this.#abandoned.set(-at, { since, voided: false });
  }

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

  /** The model is known to be free of an abandoned call; false: it is none any more. */
  release(deliveryId: number): boolean {
    return this.#abandoned.delete(deliveryId);
  }

  isAbandoned(deliveryId: number): boolean {
    return this.#abandoned.has(deliveryId);
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
      if (deliveryId < 0) this.#inherited -= 1;
      if (slot.voided) voided.push(deliveryId);
    }
    return voided;
  }
}
