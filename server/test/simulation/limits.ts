// Which limits may hold: settings change during a run, and a change that was not answered may have
// happened or not.

import type { ServiceSettings } from '../../src/queue/settings.ts';

export class Limits {
  /** The largest capacities there ever were. */
  capacityMax: { readonly source: number; readonly sink: number } = { source: 0, sink: 0 };
  /** The smallest capacities there ever were. */
  capacityMin: { readonly source: number } = { source: Number.POSITIVE_INFINITY };
  /** The fewest bad deliveries that ever made a message dead. */
  deliveryMaxLow: number = Number.POSITIVE_INFINITY;
  /** The shortest idle time there ever was; 0 = there never was one. */
  idleMsLow = 0;
  /** The settings that may be in force now. */
  #inForce: readonly ServiceSettings[] = [];

  constructor(settings: ServiceSettings) {
    this.changing(settings);
  }

  /** Before a change is asked: both the old and the new may hold from now on. */
  changing(settings: ServiceSettings): void {
    const { source, sink } = settings;
    this.capacityMax = {
      source: Math.max(this.capacityMax.source, source.capacity),
      sink: Math.max(this.capacityMax.sink, sink.capacity),
    };
    this.capacityMin = { source: Math.min(this.capacityMin.source, source.capacity) };
    this.deliveryMaxLow = Math.min(this.deliveryMaxLow, deliveryMaxOf(settings));
    const { idleMs } = settings;
    if (idleMs > 0) this.idleMsLow = Math.min(this.idleMsLow || idleMs, idleMs);
    this.#inForce = [...this.#inForce, settings];
  }

  /** The change was answered: only the new settings hold. */
  changed(settings: ServiceSettings): void {
    this.#inForce = [settings];
  }

  /** Whether so many bad deliveries are the last, whatever holds now. */
  isLast(bad: number): boolean {
    return this.#inForce.every((settings) => bad >= deliveryMaxOf(settings));
  }
}

function deliveryMaxOf({ deliveryMax }: ServiceSettings): number {
  return deliveryMax === 0 ? Number.POSITIVE_INFINITY : deliveryMax;
}
