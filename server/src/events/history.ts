// The latest events of each service, in memory: so many of one service, so many in all. Of a
// service that is gone they stay for a while, for whoever asks what has become of it.

import type { EventInfo, EventInfoKind } from '@sluice/sdk/wire';

export interface HistoryLimits {
  /** Most events of one service; the oldest go. */
  readonly perServiceMax: number;
  /** Most events of all services; then the oldest of the service with the most go. */
  readonly totalMax: number;
  /** How long after its last event a deleted service's events can be read. */
  readonly afterDeletionMs: number;
}

export interface EventQuery {
  /** undefined: of all services. */
  readonly service?: string | undefined;
  readonly kind?: EventInfoKind | undefined;
  /** Only events with a higher number. */
  readonly after?: number | undefined;
  /** At most so many: the first of those with a higher number than `after`, else the last. */
  readonly limit?: number | undefined;
}

interface Kept {
  /** By number. */
  readonly events: EventInfo[];
  /** Events up to this number may be missing. */
  droppedTo: number;
  isGone: boolean;
}

export class History {
  readonly #limits: HistoryLimits;
  readonly #services = new Map<string, Kept>();
  #total = 0;
  /** As in `Kept`, of services that are no longer known at all too. */
  #droppedTo = 0;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  /** Numbers rise from call to call. An event of kind `service` brings a deleted one back. */
  add(event: EventInfo): void {
    const kept = this.#kept(event.service);
    if (event.kind === 'service') kept.isGone = false;
    kept.events.push(event);
    this.#total += 1;
    if (kept.events.length > this.#limits.perServiceMax) this.#dropFirst(kept);
    if (this.#total > this.#limits.totalMax) this.#dropFirst(this.#largest());
  }

  /** The service is deleted; its events stay until they are `afterDeletionMs` old. */
  gone(service: string): void {
    const kept = this.#services.get(service);
    if (kept !== undefined) kept.isGone = true;
  }

  services(): readonly string[] {
    return [...this.#services.keys()];
  }

  /** Forgets deleted services whose time is over. True: there were some. */
  sweep(wall: number): boolean {
    let isSwept = false;
    for (const [service, { events, isGone }] of this.#services) {
      const last = events.at(-1);
      const age = last === undefined ? 0 : wall - Date.parse(last.at);
      if (!isGone || (last !== undefined && age <= this.#limits.afterDeletionMs)) continue;
      this.#services.delete(service);
      this.#total -= events.length;
      this.#droppedTo = Math.max(this.#droppedTo, last?.number ?? 0);
      isSwept = true;
    }
    return isSwept;
  }

  read({ service, kind, after, limit }: EventQuery): readonly EventInfo[] {
    const chosen = service === undefined ? this.all() : (this.#services.get(service)?.events ?? []);
    const found = chosen.filter(
      (event) => event.number > (after ?? 0) && (kind === undefined || event.kind === kind),
    );
    if (limit === undefined || found.length <= limit) return found;
    return after === undefined ? found.slice(found.length - limit) : found.slice(0, limit);
  }

  /** Up to which number events of the service, or of any, may be missing; 0: none is. */
  droppedTo(service: string | undefined): number {
    const one = service === undefined ? undefined : this.#services.get(service);
    if (service !== undefined && one === undefined) return 0;
    let droppedTo = one === undefined ? this.#droppedTo : 0;
    const concerned = one === undefined ? this.#services.values() : [one];
    for (const { events, droppedTo: dropped } of concerned) {
      // After a restart nothing but its being full tells that there may have been more.
      const isFull = events.length >= this.#limits.perServiceMax;
      const before = isFull ? (events[0]?.number ?? 1) - 1 : dropped;
      droppedTo = Math.max(droppedTo, before);
    }
    return droppedTo;
  }

  /** All events, by number. */
  all(): readonly EventInfo[] {
    const all = [...this.#services.values()].flatMap(({ events }) => events);
    return all.sort((one, other) => one.number - other.number);
  }

  #kept(service: string): Kept {
    const known = this.#services.get(service);
    if (known !== undefined) return known;
    const kept: Kept = { events: [], droppedTo: 0, isGone: false };
    this.#services.set(service, kept);
    return kept;
  }

  #dropFirst(kept: Kept): void {
    const first = kept.events.shift();
    if (first === undefined) return;
    this.#total -= 1;
    kept.droppedTo = first.number;
    this.#droppedTo = Math.max(this.#droppedTo, first.number);
  }

  #largest(): Kept {
    let largest: Kept | undefined;
    for (const kept of this.#services.values()) {
      if (largest === undefined || kept.events.length > largest.events.length) largest = kept;
    }
    return largest ?? { events: [], droppedTo: 0, isGone: false };
  }
}
