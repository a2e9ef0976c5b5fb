// The second half of the oracle: what readers see of the queues, and what must be true at the end.

import type { Message } from '../../src/broker/queues.ts';
import type { RequestRecord } from '../../src/queue/record.ts';
import type { Answer } from './answer.ts';
import type { Entry, ResultNote } from './ledger.ts';
import type { Oracle } from './oracle.ts';
import type { Stage } from './stage.ts';
import { fact, Violation } from './trace.ts';

const settledMs = 2_000;
/** How long before an answer the write may have failed that makes the broker begin anew. */
const flushMs = 100;
/** Longer than any poll: what it hides is known by then. */
const onTheWayMs = 1_000;

/** Only an answer with auto delete proves that nobody else had it: others may have been chosen
 * before that and come later. */
export type SeenBy =
  | { readonly by: 'get' | 'take'; readonly askedAt: number }
  | { readonly by: 'watch' };

export class Results {
  readonly #stage: Stage;
  readonly #oracle: Oracle;
  /** Marks of completions that were refused: their results must never be seen. */
  readonly #refused = new Set<string>();
  /** Polls that were given up so far. */
  aborts = 0;

  constructor(stage: Stage, oracle: Oracle) {
    this.#stage = stage;
    this.#oracle = oracle;
  }

  /** The token of a completion with this result was no longer current: nobody may ever see it. */
  refused(payload: Uint8Array): void {
    this.#refused.add(new TextDecoder().decode(payload));
  }

  /** An answer with auto delete has left: the reader has it, or it was cut. */
  finished(note: ResultNote, how: 'took' | 'cut'): void {
    const { now } = this.#stage;
    const { hiddenSince } = note;
    note.hiddenSince = undefined;
    note.shownAt = now;
    if (how === 'cut') return;
    note.takenSince = hiddenSince ?? 0;
    note.removals += 1;
    note.takenAt = now;
  }

  committed(note: ResultNote, answer: Answer<void>): void {
    if (answer.kind !== 'ok') return;
    const { now } = this.#stage;
    note.isGone = true;
    note.takenSince = now;
    note.takenAt ??= now;
  }

  /** A reader of the sink was handed a message that it asked for at `askedAt`. */
  seen(message: Message, how: SeenBy): ResultNote {
    const { ledger } = this.#oracle;
    const { index, id, payload } = message;
    const entry = ledger.byId(id);
    fact(entry !== undefined, '3', `sink ${index} answers an unknown id ${id}`);
    const body = new TextDecoder().decode(payload);
    if (body !== '') {
      const isMine = ledger.byPayload(payload) === entry;
      fact(isMine, '3', `sink ${index} of ${entry.token} holds "${body}"`);
      fact(!this.#refused.has(body), '5', `sink ${index} holds a refused result`);
    } else {
      const isMarked = message.tags.has('lastCode');
      fact(isMarked, '10', `sink ${index} of ${entry.index} is empty and says no cause`);
    }
    fact(entry.home === 'sink', '12', `the result of ${entry.token} is in the sink`);
    const note = this.#oracle.told(entry, index);
    this.#checkAgain(note, how);
    return note;
  }

  #checkAgain(note: ResultNote, how: SeenBy): void {
    const { now, upsets } = this.#stage;
    const { takenAt, takenSince, hiddenSince, index } = note;
    const isAfter = (at: number): boolean => {
      if (how.by === 'get') return how.askedAt > at;
      return how.by === 'take' || now > at + settledMs;
    };
    if (hiddenSince !== undefined && isAfter(hiddenSince)) {
      const isLost = upsets.some((at) => at >= hiddenSince - flushMs);
      fact(isLost, '13', `sink ${index} was handed out twice`);
    }
    if (takenAt === undefined || !isAfter(takenAt)) return;
    // Decided before a commit whose answer, without a payload to be read, came first.
    if (how.by === 'take' && note.isGone && how.askedAt <= takenAt) return;
    const isLost = upsets.some((at) => at >= takenSince - flushMs && at <= takenAt + settledMs);
    fact(isLost, '13', `sink ${index} was seen again after it was taken`);
  }

  /** What a reader of the whole queue was shown must agree with what is certain. */
  audit(name: 'input' | 'sink', sure: readonly (Entry | ResultNote)[], shown: Set<number>): void {
    this.#stage.note(`audit ${name}: ${shown.size}`);
    for (const one of sure) {
      if (one.index === undefined || shown.has(one.index)) continue;
      if ('token' in one) fact(!this.#isStill(one), '1', `input ${one.index} is lost`);
      else this.#miss(one);
    }
  }

  /** A result was not shown. Perhaps an answer that is on its way to another reader hides it. */
  #miss(note: ResultNote): void {
    const since = this.#stage.now;
    const { aborts } = this;
    this.#stage.clock.after(onTheWayMs, () => {
      const isUpset = this.aborts > aborts || this.#stage.upsets.some((at) => at >= since);
      const isTouched = note.isGone || note.removals > 0 || (note.hiddenSince ?? 0) >= since;
      if (isUpset || isTouched || note.shownAt >= since) return;
      this.#stage.failure ??= new Violation(`rule 1: sink ${note.index} is lost`);
    });
  }

  #isStill(entry: Entry): boolean {
    return entry.isAccepted && !entry.isGone && entry.removals === 0 && entry.causes.size === 0;
  }

  /** After the end: every accepted message is at rest, with a record that agrees with its life. */
  verdict(records: ReadonlyMap<number, RequestRecord>): void {
    for (const entry of this.#oracle.ledger.entries) {
      if (entry.index === undefined) continue;
      const record = records.get(entry.index);
      fact(record !== undefined, '14', `${entry.index} came to rest unrecorded`);
      this.#checkRecord(entry, record);
    }
    for (const { index, resultIndex } of records.values()) {
      const note = this.#oracle.ledger.results.get(resultIndex);
      const isFine = note === undefined || note.entry.index === index;
      fact(isFine, '4', `the record of ${index} names a foreign result`);
    }
  }

  #checkRecord(entry: Entry, record: RequestRecord): void {
    const { index, completedAs, resultIndex } = entry;
    const says = `the record of ${index} says ${record.state} (${record.cause})`;
    const isServed = record.state !== 'succeeded' || record.deliveries > 0;
    fact(isServed, '6', `${says} and was never delivered`);
    const isNamed = entry.id === undefined || record.id === entry.id;
    fact(isNamed, '14', `the record of ${index} has the id ${record.id}`);
    const isOver = !entry.isCanceled || record.state === 'canceled';
    fact(isOver, '14', `${says}, and it was cancelled`);
    const isMatch = completedAs === undefined || record.state === completedAs;
    fact(isMatch, '14', `${says}, it ${completedAs}`);
    const isFair = !entry.isConvicted || record.cause === 'poison';
    fact(isFair, '9', `${says}, and an instance died with it alone`);
    const result = record.resultIndex;
    const isSame = resultIndex === undefined || result === resultIndex;
    fact(isSame, '14', `the record of ${index} has result ${result}, not ${resultIndex}`);
    const mayEvict = this.#stage.settings.sink.autoEvict;
    const wasSeen = result === 0 || resultIndex !== undefined || mayEvict;
    fact(wasSeen, '1', `the result of ${index}, ${result}, was lost`);
    switch (record.state) {
      case 'succeeded':
      case 'failed':
        fact(entry.removals > 0 || entry.isGone, '14', `${says}, nobody did that`);
        break;
      case 'dead':
        this.#checkDead(entry, record);
        break;
      case 'dropped':
      case 'expired':
      case 'canceled':
        fact(entry.causes.size > 0, '14', `${says}, nobody asked for that`);
        break;
    }
  }

  /** Three instances may have died with it, the last one while it held nothing else. */
  #checkConviction(entry: Entry, record: RequestRecord, unseen: number): void {
    const deaths = entry.leases.filter((lease) => lease.mayHaveDied).length + unseen;
    fact(deaths > 2, '9', `${entry.index} is convicted after ${deaths} deaths`);
    const last = record.outcomes.at(-1)?.deliveryId;
    const lease = entry.leases.find(({ deliveryId }) => deliveryId === last);
    const wasAlone = lease === undefined || (lease.mayHaveDied && !lease.hadCompany);
    fact(wasAlone, '9', `${entry.index} is convicted, and was not alone`);
    const isNamed = record.code === 'PoisonConvicted';
    fact(isNamed, '9', `${entry.index} is convicted as ${record.code}`);
  }

  #checkDead(entry: Entry, record: RequestRecord): void {
    const { settings } = this.#stage;
    const seen = entry.leases.filter((lease) => this.#oracle.groups.counts(lease.gid)).length;
    const unseen = record.deliveries - seen;
    const bad = entry.badPossible + Math.max(0, unseen);
    if (record.cause === 'poison') this.#checkConviction(entry, record, Math.max(0, unseen));
    else {
      fact(bad >= this.#oracle.limits.deliveryMaxLow, '9', `${entry.index} is dead after ${bad}`);
    }
    const isOwed = settings.deadNotice && entry.home === 'sink' && settings.declaresInstances;
    fact(!isOwed || record.resultIndex > 0, '10', `${entry.index} is dead without a notice`);
  }
}
