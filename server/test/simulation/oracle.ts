// Judges a run by what clients see and nothing else: their calls, the answers, the deliveries. Each
// check names the rule it stands for. It knows nothing of how the broker works; where an answer is
// lost it allows everything that may have happened.

import type { Delivery, PutAnswer } from '../../src/broker/queues.ts';
import { type Entry, isBefore, type LeaseNote, Ledger, type ResultNote } from './ledger.ts';
import { Limits } from './limits.ts';
import { OrderCheck, onTheWayMs } from './order-check.ts';
import { type Answer, type Stage, said, serviceName } from './stage.ts';
import { fact } from './trace.ts';

/** A consumer as it knows itself, across its connections. */
export interface Holder {
  readonly key: string;
  readonly gid: string;
  readonly kind: 'eas' | 'stream' | 'worker';
  readonly window: number;
  /** Deliveries that it works on, or whose slot it has not freed. */
  readonly open: Set<number>;
  /** Of these, what it has forgotten. */
  readonly hung: Set<number>;
}

export class Oracle {
  readonly ledger = new Ledger();
  readonly #stage: Stage;
  readonly #tokens = new Map<number, Entry>();
  readonly #order: OrderCheck;
  /** Connections lost so far. */
  losses = 0;
  readonly #voidedUnseen = new Set<number>();
  #endedSince: number | undefined;
  readonly limits: Limits;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#order = new OrderCheck(stage, this.ledger, () => this.losses);
    this.limits = new Limits(stage.settings);
  }

  putAsked(how: Pick<Entry, 'home' | 'priority' | 'callerId'>): Entry {
    const entry = this.ledger.open({ ...how, askedAt: this.#stage.now });
    if (!this.#isWaitingSure()) entry.causes.add('settings');
    this.#stage.note(`put ${entry.token} ${how.callerId ?? ''}`);
    return entry;
  }

  putAnswered(entry: Entry, askedAt: number, answer: Answer<PutAnswer>): void {
    this.#stage.note(`put ${entry.token} ${said(answer)}`);
    if (answer.kind !== 'ok') return;
    const { index, id, repeated } = answer.value;
    if (entry.isAccepted) {
      fact(index === entry.index, '15', `put ${entry.token} repeated: ${index}`);
    }
    const isFirst = this.ledger.byIndex(index);
    const isMine = isFirst === undefined || isFirst === entry;
    fact(isMine, '8', `index ${index} of put ${entry.token} was given before`);
    fact(entry.index === undefined || entry.index === index, '8', `put ${entry.token} moved`);
    const isOpen = this.#endedSince === undefined || askedAt <= this.#endedSince;
    fact(repeated || isOpen, '16', `put ${entry.token} was taken after the end`);
    if (entry.index === undefined && !repeated) this.#checkRise(index, askedAt);
    this.ledger.learnIndex(entry, index);
    this.ledger.learnId(entry, id);
    if (entry.isAccepted) return;
    entry.isAccepted = true;
    entry.acceptedAt = this.#stage.now;
    if (entry.leases.length === 0 && entry.removals === 0) entry.waitingSince = this.#stage.now;
    this.#checkCapacity();
  }

  #checkRise(index: number, askedAt: number): void {
    for (const other of this.ledger.entries) {
      const isOlder = other.isAccepted && other.acceptedAt < askedAt;
      const isLower = other.index !== undefined && other.index < index;
      fact(!isOlder || isLower, '8', `index ${index} came after ${other.index}`);
    }
  }

  #isWaitingSure(): boolean {
    const { source } = this.#stage.settings;
    return source.expireMs === 0 && !source.autoEvict;
  }

  #checkCapacity(): void {
    const input = this.ledger.certainInput();
    const { source, sink } = this.limits.capacityMax;
    const indexes = input.map((entry) => entry.index).join(' ');
    fact(input.length <= source, '11', `[${indexes}] in ${source} places`);
    if (this.#stage.settings.sink.autoEvict) return;
    const results = this.ledger.certainSink();
    const reserved = input.filter(
      (entry) => entry.hasPlace && entry.home === 'sink' && !entry.resultAsked,
    );
    const used = results.length + reserved.length;
    const parts = `${results.length} results and ${reserved.length} reserved places`;
    fact(used <= sink, '3', `${parts} in a sink of ${sink}`);
  }

  delivered(holder: Holder, delivery: Delivery): Entry {
    const { index, deliveryId } = delivery;
    const entry = this.ledger.byPayload(delivery.payload);
    this.#stage.note(`deliver ${index} to ${holder.key} as ${deliveryId}`);
    fact(entry !== undefined, '1', `${index} was delivered and never put`);
    const known = this.ledger.byIndex(index);
    fact(known === undefined || known === entry, '8', `index ${index} names two messages`);
    fact(entry.index === undefined || entry.index === index, '8', `${entry.token} moved`);
    this.ledger.learnIndex(entry, index);
    this.ledger.learnId(entry, delivery.id);
    fact(!this.#tokens.has(deliveryId), '5', `delivery id ${deliveryId} came twice`);
    this.#tokens.set(deliveryId, entry);
    fact(!this.#voidedUnseen.has(deliveryId), '5', `${deliveryId} was given after it was voided`);
    fact(!entry.isGone, '5', `${index} was delivered after it had left`);
    this.#checkLast(holder, entry, deliveryId);
    if (holder.gid === serviceName) this.#deliveredToWork(holder, entry, delivery);
    const { now } = this.#stage;
    const { key, gid } = holder;
    const cutAt = Number.POSITIVE_INFINITY;
    entry.leases.push({ deliveryId, holder: key, gid, at: now, isOver: false, cutAt });
    holder.open.add(deliveryId);
    const taken = this.#slotsTaken(holder);
    fact(taken <= holder.window, '2', `${holder.key} has ${taken} of ${holder.window}`);
    return entry;
  }

  /** The slot of an EAS watcher is free as soon as any member of its group has committed. */
  #slotsTaken(holder: Holder): number {
    if (holder.kind !== 'eas') return holder.open.size;
    const tokens = [...holder.open];
    return tokens.filter((token) => this.#tokens.get(token)?.removals === 0).length;
  }

  #checkLast(holder: Holder, entry: Entry, deliveryId: number): void {
    const last = entry.leases.findLast((lease) => lease.gid === holder.gid);
    if (last === undefined) return;
    const { index } = entry;
    fact(deliveryId > last.deliveryId, '5', `${index}: ${deliveryId} after a higher token`);
    const isFree = this.#mayBeOver(last);
    fact(isFree, '5', `${index} was delivered while ${last.holder} holds it`);
    last.isOver = true;
  }

  #deliveredToWork(holder: Holder, entry: Entry, delivery: Delivery): void {
    const seen = entry.leases.filter(({ gid }) => gid === serviceName).length;
    entry.unseen = Math.max(entry.unseen, delivery.deliveries - 1 - seen);
    fact(!entry.mustBeDead, '9', `${entry.index} was delivered after its last`);
    const isEarly = this.#stage.now < entry.notBefore && this.#stage.isSteadySince(entry.backOffAt);
    fact(!isEarly, '9', `${entry.index} was delivered before its back-off had ended`);
    this.#order.check(holder.key, entry, delivery.deliveryId);
    entry.hasPlace = true;
    entry.waitingSince = Number.POSITIVE_INFINITY;
    entry.badPossible += 1;
    this.#doubtLife(entry);
    this.#checkCapacity();
  }

  #mayBeOver(lease: LeaseNote): boolean {
    const { idleMs, resumeMs } = this.#stage.settings;
    const { now } = this.#stage;
    // The idle time began with the decision, a read and a flush before the delivery was seen.
    const isIdle = idleMs > 0 && now + onTheWayMs >= lease.at + idleMs;
    return lease.isOver || isIdle || now >= lease.cutAt + resumeMs;
  }

  lease(entry: Entry, deliveryId: number): LeaseNote {
    const lease = entry.leases.find((note) => note.deliveryId === deliveryId);
    fact(lease !== undefined, '5', `${deliveryId} is not a delivery of ${entry.token}`);
    return lease;
  }

  /** The holder was told that its lease is gone; all but EAS watchers free the slot later. */
  voided(holder: Holder, deliveryId: number): void {
    this.#stage.note(`voided ${deliveryId} of ${holder.key}`);
    if (!this.#tokens.has(deliveryId)) this.#voidedUnseen.add(deliveryId);
    const entry = this.#tokens.get(deliveryId);
    if (entry !== undefined) this.lease(entry, deliveryId).isOver = true;
    if (holder.kind === 'eas') holder.open.delete(deliveryId);
  }

  /** A holder lost its connection, and with it all leases but those it means to resume. */
  lost(holder: Holder, keeps: ReadonlySet<number>): void {
    this.losses += 1;
    this.doubtUnseen(holder);
    for (const lease of this.#leasesOf(holder)) {
      if (keeps.has(lease.deliveryId)) lease.cutAt = Math.min(lease.cutAt, this.#stage.now);
      else lease.isOver = true;
    }
    for (const deliveryId of holder.open)
      if (!keeps.has(deliveryId)) holder.open.delete(deliveryId);
  }

  /** What was on its way to a holder that is gone was delivered, and unseen it ended badly. */
  doubtUnseen(holder: Holder): void {
    if (holder.gid !== serviceName) return;
    const waiting = this.ledger.entries.filter(
      (entry) =>
        entry.index !== undefined &&
        !entry.isGone &&
        entry.leases.every((lease) => this.#mayBeOver(lease)),
    );
    waiting.sort((one, other) => (isBefore(one, other) ? -1 : 1));
    for (const entry of waiting.slice(0, holder.window + 20)) {
      entry.unseen += 1;
      this.#doubtLife(entry);
      // A lease that nobody saw waits for its holder to come back.
      const until = holder.kind === 'stream' ? this.#stage.settings.resumeMs : 0;
      entry.waitingSince = Math.max(entry.waitingSince, this.#stage.now + until);
    }
  }

  #doubtLife(entry: Entry): void {
    const isOver = entry.badPossible + entry.unseen >= this.limits.deliveryMaxLow;
    if (isOver) entry.causes.add('dead');
  }

  /** A holder is connected again and was told which of its leases it still has. */
  resumed(holder: Holder, asked: readonly number[], held: readonly number[]): void {
    this.#stage.note(`${holder.key} resumed [${held}] of [${asked}]`);
    for (const deliveryId of held) {
      fact(asked.includes(deliveryId), '5', `${holder.key} resumed a foreign ${deliveryId}`);
    }
    for (const deliveryId of asked) {
      if (!held.includes(deliveryId)) holder.open.delete(deliveryId);
    }
    for (const lease of this.#leasesOf(holder)) {
      if (held.includes(lease.deliveryId)) lease.cutAt = Number.POSITIVE_INFINITY;
      else lease.isOver = true;
    }
  }

  #leasesOf(holder: Holder): LeaseNote[] {
    return this.ledger.entries
      .flatMap(({ leases }) => leases)
      .filter((lease) => lease.holder === holder.key && !lease.isOver);
  }

  #isSure(entry: Entry, lease: LeaseNote): boolean {
    const isCut = lease.cutAt !== Number.POSITIVE_INFINITY;
    return !isCut && !this.#mayBeOver(lease) && entry.removals === 0 && entry.causes.size === 0;
  }

  /** A call that ends a lease without success is asked. */
  returnAsked(holder: Holder, entry: Entry, deliveryId: number): void {
    this.lease(entry, deliveryId).isOver = true;
    holder.open.delete(deliveryId);
    entry.lastReturnedBy = holder.key;
  }

  /** Answered with success it proves that the lease was current until then. */
  returnAnswered(
    entry: Entry,
    answer: Answer<void>,
    how: { readonly counted: boolean; readonly delayMs: number; readonly askedAt: number },
  ): void {
    this.#stage.note(`return ${entry.index} ${said(answer)}`);
    if (answer.kind !== 'ok') return;
    if (how.counted) entry.badCertain += 1;
    else entry.badPossible -= 1;
    // Limits that were lowered since count when the next one ends badly.
    entry.mustBeDead ||= how.counted && this.limits.isLast(entry.badCertain);
    entry.notBefore = how.askedAt + how.delayMs;
    entry.backOffAt = how.askedAt;
    const isLast = entry.leases.every((lease) => lease.isOver);
    if (isLast && how.delayMs === 0 && entry.causes.size === 0)
      entry.waitingSince = this.#stage.now;
  }

  /** A call that ends the request is asked: a completion or a commit. */
  completeAsked(holder: Holder, entry: Entry, deliveryId: number): { readonly wasSure: boolean } {
    const lease = this.lease(entry, deliveryId);
    const wasSure = this.#isSure(entry, lease);
    holder.open.delete(deliveryId);
    entry.removals += 1;
    entry.resultAsked = true;
    this.#stage.note(`complete ${entry.index} ${deliveryId} by ${holder.key}`);
    return { wasSure };
  }

  completeAnswered(
    entry: Entry,
    deliveryId: number,
    answer: Answer<number>,
    how: {
      readonly wasSure: boolean;
      readonly as: 'succeeded' | 'failed';
      readonly hasResult: boolean;
    },
  ): void {
    this.#stage.note(`complete ${entry.index} ${deliveryId} ${said(answer)}`);
    const lease = this.lease(entry, deliveryId);
    const newest = entry.leases.findLast((note) => note.gid === lease.gid);
    if (answer.kind === 'refused') {
      entry.removals -= 1;
      // The disk refused the whole batch; the broker begins anew from what is on it.
      if (answer.code === 'disk_full') return;
      const isStale = answer.code === 'stale_delivery';
      fact(isStale, '3', `a completion of ${entry.index} was refused: ${answer.code}`);
      const mayBeStale = !how.wasSure || this.#mayBeOver(lease);
      fact(mayBeStale, '5', `${deliveryId} was current and refused`);
      lease.isOver = true;
      return;
    }
    lease.isOver = true;
    if (answer.kind !== 'ok') return;
    entry.completions += 1;
    entry.isGone = true;
    entry.completedAs = how.as;
    fact(entry.completions === 1, '5', `${entry.index} was completed twice`);
    fact(newest === lease, '5', `a stale token of ${entry.index} was taken`);
    const inSink = how.hasResult && entry.home === 'sink';
    const isRight = answer.value > 0 === inSink || entry.wasPut;
    fact(isRight, '4', `${entry.index} got the result ${answer.value}`);
    if (answer.value > 0) this.told(entry, answer.value);
  }

  /** A consumer that speaks EAS is about to put the result into the sink. */
  resultAsked(entry: Entry): void {
    entry.resultAsked = true;
    entry.wasPut = true;
  }

  /** A commit by index is asked: it counts whoever holds the message now. */
  commitAsked(holder: Holder, entry: Entry, deliveryId: number): { readonly isAlone: boolean } {
    this.#stage.note(`commit ${entry.index} by ${holder.key}`);
    const isAlone = entry.removals === 0 && entry.causes.size === 0;
    this.lease(entry, deliveryId);
    holder.open.delete(deliveryId);
    entry.removals += 1;
    entry.resultAsked = true;
    for (const lease of entry.leases) if (lease.gid === holder.gid) lease.isOver = true;
    return { isAlone };
  }

  commitAnswered(entry: Entry, answer: Answer<void>, isAlone: boolean): void {
    this.#stage.note(`commit ${entry.index} ${said(answer)}`);
    if (answer.kind === 'refused') entry.removals -= 1;
    if (answer.kind !== 'ok') return;
    entry.isGone = true;
    if (isAlone && entry.removals === 1) entry.completedAs = 'succeeded';
  }

  /** A copy's holder is done with it, or gives it up. */
  copyDone(holder: Holder, entry: Entry, deliveryId: number): void {
    this.lease(entry, deliveryId).isOver = true;
    holder.open.delete(deliveryId);
  }

  /** An answer or a reader showed the index of a result: there is only one. */
  told(entry: Entry, index: number): ResultNote {
    const first = entry.resultIndex;
    fact(
      first === undefined || first === index,
      '5',
      `${entry.index}: two results, ${first} and ${index}`,
    );
    const known = this.ledger.results.get(index);
    const isMine = known === undefined || known.entry === entry;
    fact(isMine, '8', `sink index ${index} names two results`);
    entry.resultIndex = index;
    const { now } = this.#stage;
    const fresh = { index, entry, removals: 0, isGone: false, takenAt: undefined, takenSince: 0 };
    const note: ResultNote = known ?? {
      ...fresh,
      toldAt: undefined,
      hiddenSince: undefined,
      shownAt: 0,
    };
    this.ledger.results.set(index, note);
    if (!this.#stage.settings.sink.autoEvict) note.toldAt ??= now;
    this.#checkCapacity();
    return note;
  }

  endAnswered(answer: Answer<void>): void {
    if (answer.kind === 'ok') this.#endedSince = this.#stage.now;
  }

  reopenAsked(): void {
    this.#endedSince = undefined;
  }

  /** A call that may remove many: whatever it can touch is in doubt from now on. */
  doubt(cause: string, canTouch: (entry: Entry) => boolean): void {
    for (const entry of this.ledger.entries) if (canTouch(entry)) entry.causes.add(cause);
  }
}
