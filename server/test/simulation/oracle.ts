// Judges a run by what passes between the queues and those who use them, and nothing else: calls,
// answers, deliveries. Each check names the rule it stands for. It knows nothing of how the broker
// works; where an answer is lost it allows everything that may have happened.

import type { Delivery, Identity, PutAnswer } from '../../src/broker/queues.ts';
import { type Answer, said } from './answer.ts';
import { died, mayDie, mayHaveLived } from './deaths.ts';
import { Groups } from './groups.ts';
import { type Holder, Holders } from './holders.ts';
import { type Entry, Ledger, type ResultNote } from './ledger.ts';
import { Limits } from './limits.ts';
import { OrderCheck } from './order-check.ts';
import type { Stage } from './stage.ts';
import { fact } from './trace.ts';

/** What was known when a commit by index was asked. */
interface CommitAsked {
  readonly by: Identity;
  /** Nothing else can have taken the message away. */
  readonly isAlone: boolean;
  /** The message may leave with it. */
  readonly mayEnd: boolean;
}

/** What was known when a completion was asked. */
interface CompletionAsked {
  readonly wasSure: boolean;
  /** Nobody asked for it under this token before. */
  readonly isFirst: boolean;
}

/** A lease is ended by its holder, and the work is not done. */
export interface ReturnAsked {
  readonly deliveryId: number;
  readonly counted: boolean;
  readonly code: string;
  readonly occupies: boolean;
}

export class Oracle {
  readonly ledger = new Ledger();
  readonly limits: Limits;
  readonly groups: Groups;
  readonly holders: Holders;
  readonly #stage: Stage;
  readonly #order: OrderCheck;
  readonly #completing = new Set<number>();
  #endedSince: number | undefined;
  /** Since when it is certain that the input is open; undefined: it may have ended. */
  #isOpenSince: number | undefined = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.limits = new Limits(stage.settings);
    this.groups = new Groups(stage.settings.declaresInstances);
    this.holders = new Holders(stage, this.ledger, this.limits, this.groups);
    this.#order = new OrderCheck(stage, this.ledger, this.holders);
  }

  holder(by: Identity): Holder {
    return this.holders.of(by);
  }

  putAsked(how: Pick<Entry, 'home' | 'priority' | 'callerId' | 'isPoison' | 'key'>): Entry {
    const entry = this.ledger.open({ ...how, askedAt: this.#stage.now });
    if (!this.#isWaitingSure()) entry.causes.add('settings');
    this.#stage.note(`put ${entry.token} ${how.callerId ?? ''}`);
    return entry;
  }

  putAnswered(entry: Entry, askedAt: number, answer: Answer<PutAnswer>): void {
    this.#stage.note(`put ${entry.token} ${said(answer)}`);
    if (answer.kind === 'refused') this.#checkRefusal(entry, askedAt, answer.code);
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
    // A put that repeats one by its key is not told the first one's id.
    if (id !== '') this.ledger.learnId(entry, id);
    if (entry.isAccepted) return;
    entry.isAccepted = true;
    entry.acceptedAt = this.#stage.now;
    if (entry.leases.length === 0 && entry.removals === 0) entry.waitingSince = this.#stage.now;
    this.#checkCapacity();
  }

  /** A put is refused only for a reason. */
  #checkRefusal(entry: Entry, askedAt: number, code: string): void {
    if (code === 'disk_full') return;
    const isKnown = entry.callerId !== undefined || entry.key !== undefined;
    const isRepeated = entry.isAccepted && isKnown;
    const isNew = !isRepeated || entry.acceptedAt > askedAt;
    fact(isNew, '15', `put ${entry.token} was repeated and refused: ${code}`);
    if (code === 'ended') {
      const mayBeEnded = this.#isOpenSince === undefined || askedAt < this.#isOpenSince;
      fact(mayBeEnded, '16', `put ${entry.token} was refused: ${code}`);
    }
    if (code !== 'queue_full') return;
    const mayBeIn = this.ledger.entries.filter(({ goneAt }) => goneAt > askedAt).length - 1;
    const { source } = this.limits.capacityMin;
    fact(mayBeIn >= source, '11', `put ${entry.token} was refused with ${mayBeIn} of ${source}`);
  }

  /** A cancel was answered: `found` says that the request was still there. */
  cancelAnswered(entry: Entry, found: boolean): void {
    if (!found) return;
    fact(!entry.isCanceled, '14', `${entry.index} was cancelled twice`);
    fact(entry.completedAs === undefined, '5', `${entry.index} was completed and cancelled`);
    entry.isCanceled = true;
    this.#gone(entry);
  }

  #gone(entry: Entry): void {
    entry.isGone = true;
    entry.goneAt = Math.min(entry.goneAt, this.#stage.now);
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
    // What came of a request may be seen in its place before it is known that the request is dead.
    const reserved = input.filter(({ hasPlace, home, resultAsked, resultIndex }) => {
      return hasPlace && home === 'sink' && !resultAsked && resultIndex === undefined;
    });
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
    fact(!entry.isGone, '5', `${index} was delivered after it had left`);
    const isDone = this.groups.isDoneFor(entry, holder.gid);
    fact(!isDone, '7', `${index} was delivered to ${holder.gid}, which had committed it`);
    if (this.groups.counts(holder.gid)) this.#deliveredToWork(holder, entry, delivery);
    this.holders.begin(holder, entry, delivery);
    return entry;
  }

  #deliveredToWork(holder: Holder, entry: Entry, delivery: Delivery): void {
    const seen = entry.leases.filter(({ gid }) => gid === holder.gid).length;
    entry.unseen = Math.max(entry.unseen, delivery.deliveries - 1 - seen);
    if (this.groups.isWorked) {
      fact(!entry.mustBeDead, '9', `${entry.index} was delivered after its last`);
      fact(!entry.isConvicted, '9', `${entry.index} was delivered after its conviction`);
      const isSteady = this.#stage.isSteadySince(entry.backOffAt);
      const isEarly = this.#stage.now < entry.notBefore && isSteady;
      fact(!isEarly, '9', `${entry.index} was delivered before its back-off had ended`);
      this.#order.check(holder.key, entry, delivery.deliveryId);
      entry.hasPlace = true;
    }
    entry.waitingSince = Number.POSITIVE_INFINITY;
    entry.badPossible += 1;
    this.holders.doubtLife(entry);
    this.#checkCapacity();
  }

  /** A call that ends a lease without success is asked. */
  returnAsked(deliveryId: number, how: ReturnAsked): Entry | undefined {
    const token = this.holders.token(deliveryId);
    if (token === undefined) return undefined;
    const { entry, holder } = token;
    const lease = this.holders.lease(entry, deliveryId);
    lease.isOver = true;
    if (how.counted && how.code === 'InstanceDied') {
      mayDie(lease, this.#stage.now);
      this.holders.doubtLife(entry);
    } else if (how.counted) lease.end = 'unknown';
    if (!how.occupies) holder.open.delete(deliveryId);
    entry.lastReturnedBy = holder.key;
    return entry;
  }

  /** Answered with success it proves that the lease was current until then. */
  returnAnswered(
    entry: Entry,
    answer: Answer<void>,
    how: ReturnAsked & { readonly delayMs: number; readonly askedAt: number },
  ): void {
    this.#stage.note(`return ${entry.index} ${said(answer)}`);
    const lease = this.holders.lease(entry, how.deliveryId);
    if (lease.end === 'asked' && answer.kind !== 'ok') mayHaveLived(entry, lease);
    if (answer.kind !== 'ok') return;
    if (lease.end === 'asked') died(entry, lease);
    else if (!how.counted) lease.end = 'silent';
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

  /** A negative commit by index: whether it ends a lease nobody is told. */
  negativeAsked(by: Identity, entry: Entry): void {
    const holder = this.holder(by);
    this.#stage.note(`negative ${entry.index} by ${holder.key}`);
    this.#endLeases(holder, entry);
    entry.lastReturnedBy = holder.key;
  }

  /** The idle time of a lease began anew. */
  touched(deliveryId: number, askedAt: number): void {
    const token = this.holders.token(deliveryId);
    if (token !== undefined) this.holders.lease(token.entry, deliveryId).idleSince = askedAt;
  }

  /** A call that ends the request is asked, by its token; undefined: nobody ever saw that token. */
  completeAsked(deliveryId: number): CompletionAsked | undefined {
    const token = this.holders.token(deliveryId);
    if (token === undefined) return undefined;
    const { entry, holder } = token;
    const lease = this.holders.lease(entry, deliveryId);
    const wasSure = this.holders.isSure(entry, lease);
    const isFirst = !this.#completing.has(deliveryId);
    this.#completing.add(deliveryId);
    holder.open.delete(deliveryId);
    entry.removals += 1;
    entry.resultAsked = true;
    this.#stage.note(`complete ${entry.index} ${deliveryId} by ${holder.key}`);
    return { wasSure, isFirst };
  }

  completeAnswered(
    deliveryId: number,
    answer: Answer<number>,
    how: CompletionAsked & {
      readonly as: 'succeeded' | 'failed';
      readonly hasResult: boolean;
    },
  ): void {
    const entry = this.holders.token(deliveryId)?.entry;
    fact(entry !== undefined, '5', `${deliveryId} is nobody's`);
    this.#stage.note(`complete ${entry.index} ${deliveryId} ${said(answer)}`);
    const lease = this.holders.lease(entry, deliveryId);
    const newest = entry.leases.findLast((note) => note.gid === lease.gid);
    if (answer.kind === 'refused') {
      entry.removals -= 1;
      // The disk refused the whole batch; the broker begins anew from what is on it.
      if (answer.code === 'disk_full') return;
      const isStale = answer.code === 'stale_delivery';
      fact(isStale, '3', `a completion of ${entry.index} was refused: ${answer.code}`);
      const mayBeStale = !how.wasSure || this.holders.mayBeOver(lease);
      fact(mayBeStale, '5', `${deliveryId} was current and refused`);
      lease.isOver = true;
      return;
    }
    lease.isOver = true;
    if (answer.kind !== 'ok') return;
    entry.completions += 1;
    this.#gone(entry);
    entry.completedAs = how.as;
    entry.hasResult = how.hasResult;
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

  resultPut(entry: Entry, uid: string, index: number): void {
    this.#stage.note(`result of ${entry.index} by ${uid}: ok ${index}`);
    if (index > 0) this.told(entry, index);
  }

  /** A commit by index is asked: it counts whoever of the group holds the message now. */
  commitAsked(by: Identity, entry: Entry): CommitAsked {
    const holder = this.holder(by);
    this.#stage.note(`commit ${entry.index} by ${holder.key}`);
    const isAlone = entry.removals === 0 && entry.causes.size === 0;
    this.#endLeases(holder, entry);
    if (!this.groups.commitAsked(entry, by.gid)) return { by, isAlone: false, mayEnd: false };
    const isDelivered = entry.leases.some(({ gid }) => gid === by.gid);
    // Rule 6: nothing happens, unless it was delivered on the way.
    if (!isDelivered) entry.causes.add('committed');
    entry.removals += 1;
    entry.resultAsked = true;
    return { by, isAlone, mayEnd: true };
  }

  commitAnswered(entry: Entry, answer: Answer<void>, { by, isAlone, mayEnd }: CommitAsked): void {
    this.#stage.note(`commit ${entry.index} ${said(answer)}`);
    if (!this.groups.counts(by.gid)) return;
    if (answer.kind === 'refused' && mayEnd) entry.removals -= 1;
    if (answer.kind !== 'ok' || !entry.leases.some(({ gid }) => gid === by.gid)) return;
    if (!this.groups.commitDone(entry, by.gid)) return;
    this.#gone(entry);
    if (isAlone && entry.removals === 1) entry.completedAs = 'succeeded';
  }

  #endLeases(holder: Holder, entry: Entry): void {
    for (const lease of entry.leases) {
      if (lease.gid !== holder.gid) continue;
      lease.isOver = true;
      if (lease.end === 'silent') lease.end = 'unknown';
      if (lease.holder === holder.key) holder.open.delete(lease.deliveryId);
    }
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
    const note = known ?? this.ledger.openResult(index, entry);
    if (!this.#stage.settings.sink.autoEvict) note.toldAt ??= now;
    this.#checkCapacity();
    return note;
  }

  endAsked(): void {
    this.#isOpenSince = undefined;
  }

  endAnswered(answer: Answer<void>): void {
    if (answer.kind === 'ok') this.#endedSince = this.#stage.now;
  }

  reopenAsked(): void {
    this.#endedSince = undefined;
  }

  reopened(): void {
    this.#isOpenSince = this.#stage.now;
  }

  /** A call that may remove many: whatever it can touch is in doubt from now on. */
  doubt(cause: string, canTouch: (entry: Entry) => boolean): void {
    for (const entry of this.ledger.entries) if (canTouch(entry)) entry.causes.add(cause);
  }
}
