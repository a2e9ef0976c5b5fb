// Who holds which delivery, as clients can know it: leases begin when they are seen, and are in
// doubt as soon as anything may have ended them. Slots are counted here (rule 2).

import type { ConsumerKind, Delivery, Identity } from '../../src/broker/queues.ts';
import { begins, deathsPossible, died, hasCompany, mayDie, mayHaveLived } from './deaths.ts';
import type { Groups } from './groups.ts';
import { type Entry, isBefore, type LeaseNote, type Ledger } from './ledger.ts';
import type { Limits } from './limits.ts';
import { onTheWayMs } from './order-check.ts';
import type { Stage } from './stage.ts';
import { fact } from './trace.ts';

/** A consumer as it knows itself, across its connections. */
export interface Holder {
  readonly key: string;
  readonly gid: string;
  kind: ConsumerKind;
  window: number;
  /** Counts its watches: only the last one is its own. */
  session: number;
  /** Deliveries that it works on, or whose slot it has not freed. */
  readonly open: Set<number>;
  /** When nothing reached it last. */
  stall: { readonly from: number; to: number } | undefined;
}

interface Token {
  readonly entry: Entry;
  readonly holder: Holder;
}

export class Holders {
  readonly #stage: Stage;
  readonly #ledger: Ledger;
  readonly #limits: Limits;
  readonly #groups: Groups;
  readonly #all = new Map<string, Holder>();
  readonly #tokens = new Map<number, Token>();
  readonly #voidedUnseen = new Set<number>();
  /** Leases not known to be over, by holder. */
  readonly #leases = new Map<Holder, Set<LeaseNote>>();
  /** Connections lost so far. */
  losses = 0;
  #stalls = 0;
  #flowsSince = 0;

  constructor(stage: Stage, ledger: Ledger, limits: Limits, groups: Groups) {
    this.#stage = stage;
    this.#ledger = ledger;
    this.#limits = limits;
    this.#groups = groups;
  }

  /** User ids are unique across all groups of a run. */
  of({ gid, uid }: Identity): Holder {
    const known = this.#all.get(uid);
    if (known !== undefined) return known;
    const kind: ConsumerKind = 'eas';
    const holder: Holder = {
      key: uid,
      gid,
      kind,
      window: 0,
      session: 0,
      open: new Set(),
      stall: undefined,
    };
    this.#all.set(uid, holder);
    return holder;
  }

  token(deliveryId: number): Token | undefined {
    return this.#tokens.get(deliveryId);
  }

  lease(entry: Entry, deliveryId: number): LeaseNote {
    const lease = entry.leases.find((note) => note.deliveryId === deliveryId);
    fact(lease !== undefined, '5', `${deliveryId} is not a delivery of ${entry.token}`);
    return lease;
  }

  /** A delivery was seen: a lease begins, or is seen late. */
  begin(holder: Holder, entry: Entry, { deliveryId, deliveries }: Delivery): void {
    fact(!this.#tokens.has(deliveryId), '5', `delivery id ${deliveryId} came twice`);
    this.#tokens.set(deliveryId, { entry, holder });
    fact(!this.#voidedUnseen.has(deliveryId), '5', `${deliveryId} was given after it was voided`);
    this.#checkLast(holder, entry, deliveryId);
    const { now } = this.#stage;
    const { key, gid } = holder;
    const cutAt = Number.POSITIVE_INFINITY;
    const lease: LeaseNote = {
      ...{ deliveryId, holder: key, gid, at: now, isOver: false, cutAt },
      idleSince: this.#sentSince(holder),
      ...{ mayHaveDied: false, end: 'unknown', askedAt: 0, hadCompany: false, isSuspect: false },
    };
    const before = entry.leases.findLast((last) => last.gid === gid);
    entry.leases.push(lease);
    const leases = this.#leases.get(holder) ?? new Set();
    this.#leases.set(holder, leases.add(lease));
    holder.open.add(deliveryId);
    const taken = this.#slotsTaken(holder);
    fact(taken <= holder.window, '2', `${holder.key} has ${taken} of ${holder.window}`);
    if (!this.#groups.isWorked || !this.#groups.counts(gid)) return;
    if (taken > 1) this.#meet(holder, entry, lease);
    begins(entry, lease, { isKnown: this.#isEndKnown(before) }, deliveries);
  }

  #isEndKnown(lease: LeaseNote | undefined): boolean {
    if (lease?.end === 'asked') return this.#stage.isSteadySince(lease.askedAt);
    return lease?.end !== 'unknown';
  }

  /** Several are at one holder at a time: those whose leases have not ended, and the new one. */
  #meet(holder: Holder, entry: Entry, lease: LeaseNote): void {
    hasCompany(entry, lease);
    for (const deliveryId of holder.open) {
      const other = this.#tokens.get(deliveryId)?.entry;
      if (other === undefined || other === entry) continue;
      const held = this.lease(other, deliveryId);
      if (this.#isHeld(other, held)) hasCompany(other, held);
    }
  }

  /** An instance is about to be reported dead: answers what becomes of what it certainly holds. */
  dying(holder: Holder): (isDone: boolean) => void {
    const dying: { readonly entry: Entry; readonly lease: LeaseNote }[] = [];
    for (const lease of this.#leasesOf(holder)) {
      const entry = this.#tokens.get(lease.deliveryId)?.entry;
      if (entry === undefined) continue;
      const isHeld = this.#isHeld(entry, lease);
      mayDie(lease, this.#stage.now);
      this.doubtLife(entry);
      if (isHeld) dying.push({ entry, lease });
      else mayHaveLived(entry, lease);
    }
    return (isDone) => {
      for (const { entry, lease } of dying) {
        const isTaken = entry.removals > 0 || isTouched(entry, 'dead') || this.#mayIdle(lease);
        if (isDone && !isTaken) died(entry, lease);
        else mayHaveLived(entry, lease);
      }
    };
  }

  /** The slot of an EAS watcher is free as soon as any member of its group has committed. */
  #slotsTaken(holder: Holder): number {
    if (holder.kind !== 'eas') return holder.open.size;
    const tokens = [...holder.open];
    return tokens.filter((token) => this.#tokens.get(token)?.entry.removals === 0).length;
  }

  #checkLast(holder: Holder, entry: Entry, deliveryId: number): void {
    const last = entry.leases.findLast((lease) => lease.gid === holder.gid);
    if (last === undefined) return;
    const { index } = entry;
    fact(deliveryId > last.deliveryId, '5', `${index}: ${deliveryId} after a higher token`);
    const isFree = this.mayBeOver(last);
    fact(isFree, '5', `${index} was delivered while ${last.holder} holds it`);
    last.isOver = true;
  }

  mayBeOver(lease: LeaseNote): boolean {
    const { resumeMs } = this.#stage.settings;
    return lease.isOver || this.#mayIdle(lease) || this.#stage.now >= lease.cutAt + resumeMs;
  }

  /** Since when what a holder sees now may have been on its way. */
  #sentSince({ stall }: Holder): number {
    const { now } = this.#stage;
    return stall !== undefined && now <= stall.to + onTheWayMs ? stall.from : now;
  }

  #mayIdle(lease: LeaseNote): boolean {
    const idleMs = this.#limits.idleMsLow;
    // The idle time began with the decision, a read and a flush before the delivery was seen.
    return idleMs > 0 && this.#stage.now + onTheWayMs >= lease.idleSince + idleMs;
  }

  /** Whether its holder certainly had it until now. */
  isSure(entry: Entry, lease: LeaseNote): boolean {
    const isCut = lease.cutAt !== Number.POSITIVE_INFINITY;
    return !isCut && !this.mayBeOver(lease) && entry.removals === 0 && !isTouched(entry);
  }

  /** The same of a lease that is the last one: of this one it can't be dead yet. */
  #isHeld(entry: Entry, lease: LeaseNote): boolean {
    const isLast = entry.leases.findLast(({ gid }) => gid === lease.gid) === lease;
    const isTaken = entry.removals > 0 || isTouched(entry, 'dead');
    const isCut = lease.cutAt !== Number.POSITIVE_INFINITY;
    return isLast && !isTaken && !isCut && !this.mayBeOver(lease);
  }

  /** The holder was told that its lease is gone; all but EAS watchers free the slot later. */
  voided(holder: Holder, deliveryId: number): void {
    this.#stage.note(`voided ${deliveryId} of ${holder.key}`);
    const token = this.#tokens.get(deliveryId);
    if (token === undefined) this.#voidedUnseen.add(deliveryId);
    else this.lease(token.entry, deliveryId).isOver = true;
    if (holder.kind === 'eas') holder.open.delete(deliveryId);
  }

  /** The holder says that nothing works on it any more. */
  freed(deliveryId: number): void {
    this.#tokens.get(deliveryId)?.holder.open.delete(deliveryId);
  }

  /** A holder lost its connection, and with it all leases but those it means to resume. */
  lost(holder: Holder, keeps: ReadonlySet<number>): void {
    this.losses += 1;
    this.doubtUnseen(holder);
    for (const lease of this.#leasesOf(holder)) {
      if (lease.end === 'unknown') this.#silent(holder, lease);
      if (keeps.has(lease.deliveryId)) lease.cutAt = Math.min(lease.cutAt, this.#stage.now);
      else lease.isOver = true;
    }
    for (const deliveryId of holder.open)
      if (!keeps.has(deliveryId)) holder.open.delete(deliveryId);
  }

  /** A connection that is lost is no sign of life; over the stream protocol it may be a death. */
  #silent(holder: Holder, lease: LeaseNote): void {
    const isStream = holder.kind === 'stream';
    lease.mayHaveDied ||= isStream;
    const mayIdle = isStream ? this.#limits.idleMsLow > 0 : this.#mayIdle(lease);
    if (!mayIdle) lease.end = 'silent';
  }

  /** Nothing reaches this holder for a while, though messages are leased to it. */
  stalled(holder: Holder): void {
    this.#stalls += 1;
    holder.stall = { from: this.#stage.now, to: Number.POSITIVE_INFINITY };
    this.doubtUnseen(holder);
  }

  flows(holder: Holder): void {
    this.#stalls -= 1;
    if (holder.stall !== undefined) holder.stall.to = this.#stage.now;
    this.#flowsSince = this.#stage.now;
    this.doubtUnseen(holder);
  }

  /** Whether what was delivered since then was seen soon. */
  isFlowingSince(mono: number): boolean {
    return this.#stalls === 0 && this.#flowsSince < mono;
  }

  /** What was on its way to a holder that is gone was delivered, and unseen it ended badly. */
  doubtUnseen(holder: Holder): void {
    if (!this.#groups.counts(holder.gid)) return;
    const waiting = this.#ledger.entries.filter(
      (entry) =>
        entry.index !== undefined &&
        !entry.isGone &&
        entry.leases.every((lease) => lease.gid !== holder.gid || this.mayBeOver(lease)),
    );
    waiting.sort((one, other) => (isBefore(one, other) ? -1 : 1));
    // Where one home has no place left, messages of the other pass those that wait for it.
    const first = (['sink', 'record'] as const).flatMap((home) =>
      waiting.filter((entry) => entry.home === home).slice(0, holder.window + 20),
    );
    for (const entry of first) {
      entry.unseen += 1;
      this.doubtLife(entry);
      // A lease that nobody saw waits for its holder to come back.
      const until = holder.kind === 'stream' ? this.#stage.settings.resumeMs : 0;
      entry.waitingSince = Math.max(entry.waitingSince, this.#stage.now + until);
    }
  }

  doubtLife(entry: Entry): void {
    const isOver = entry.badPossible + entry.unseen >= this.#limits.deliveryMaxLow;
    const mayBeConvicted = this.#groups.isWorked && deathsPossible(entry) > 2;
    if (isOver || mayBeConvicted) entry.causes.add('dead');
  }

  /** A holder is connected again and was told which of its leases it still has. */
  resumed(holder: Holder, asked: readonly number[], held: readonly number[]): void {
    this.#stage.note(`${holder.key} resumed [${held}] of [${asked}]`);
    for (const deliveryId of held) {
      fact(asked.includes(deliveryId), '5', `${holder.key} resumed a foreign ${deliveryId}`);
      this.#checkResumed(holder, deliveryId);
    }
    for (const deliveryId of asked) {
      if (!held.includes(deliveryId)) holder.open.delete(deliveryId);
    }
    for (const lease of this.#leasesOf(holder)) {
      if (held.includes(lease.deliveryId)) {
        lease.cutAt = Number.POSITIVE_INFINITY;
        lease.end = 'unknown';
      } else lease.isOver = true;
    }
  }

  /** Nobody else was seen with the message since. */
  #checkResumed(holder: Holder, deliveryId: number): void {
    const entry = this.#tokens.get(deliveryId)?.entry;
    const newest = entry?.leases.findLast(({ gid }) => gid === holder.gid);
    if (newest === undefined || newest.deliveryId === deliveryId) return;
    const isLater = newest.at < this.#stage.now;
    fact(
      !isLater,
      '5',
      `${holder.key} resumed ${deliveryId}, which ${newest.holder} has taken over`,
    );
  }

  #leasesOf(holder: Holder): LeaseNote[] {
    const leases = this.#leases.get(holder) ?? new Set();
    for (const lease of leases) if (lease.isOver) leases.delete(lease);
    return [...leases];
  }
}

/** Whether something but its holder may have taken it. Neither expiry nor eviction, which the
 * settings may allow, takes what is under lease. */
function isTouched({ causes }: Entry, but = ''): boolean {
  return [...causes].some((cause) => cause !== 'settings' && cause !== but);
}
