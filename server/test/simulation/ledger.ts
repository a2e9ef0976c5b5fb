// What clients know of each message: when they put it, what they were answered, who was given it.
// Plain data; the oracle judges it.

import type { Home } from '../../src/queue/message.ts';

export interface LeaseNote {
  readonly deliveryId: number;
  readonly holder: string;
  readonly gid: string;
  readonly at: number;
  /** The earliest moment at which its idle time may have begun. */
  idleSince: number;
  /** The holder has asked to end it, or lost it, or may have lost it. */
  isOver: boolean;
  /** When its holder, who may resume it, lost the connection; infinity: connected. */
  cutAt: number;
  /** The instance may have died with it. */
  mayHaveDied: boolean;
  /** What its end says: nothing, asked to be a death, a death, or neither death nor life. */
  end: 'unknown' | 'asked' | 'died' | 'silent';
  askedAt: number;
  /** Its holder had something else at the same time. */
  hadCompany: boolean;
  /** Two instances have certainly died with the message before. */
  isSuspect: boolean;
}

/** One request, from the call that puts it on. `token` is its number and stands in its payload. */
export interface Entry {
  readonly token: number;
  readonly home: Home;
  readonly priority: number;
  /** The caller's id; undefined: the server makes one. */
  readonly callerId: string | undefined;
  readonly askedAt: number;
  /** Ends every instance that takes it, but not consumers that speak EAS. */
  readonly isPoison: boolean;
  /** Its idempotency key; undefined: it has none. */
  readonly key?: string | undefined;
  /** A cancel was answered: it was still there. */
  isCanceled: boolean;
  /** It may have been put anew from the rear queue, or certainly was. */
  redriven: 'no' | 'perhaps' | 'yes';
  id: string | undefined;
  index: number | undefined;
  /** The put was answered with its index. */
  isAccepted: boolean;
  acceptedAt: number;
  /** Calls that remove it, if they work, and are not answered or were answered uncertainly. */
  removals: number;
  /** A call that removed it was answered, and when. */
  isGone: boolean;
  goneAt: number;
  /** Why it may be gone, in the order in which that became possible. */
  readonly causes: Set<string>;
  readonly leases: LeaseNote[];
  /** Deliveries of the working group that a client can not have ended well. */
  badPossible: number;
  /** Deliveries that no client saw and that may have ended badly. */
  unseen: number;
  /** Deliveries that nobody saw before the last one that somebody did. */
  hidden: number;
  /** Instances that certainly died with it since it may have been cleared. */
  deaths: number;
  /** An instance certainly died with it alone. */
  isConvicted: boolean;
  /** Deliveries that certainly counted as ended badly. */
  badCertain: number;
  /** It has had its last delivery. */
  mustBeDead: boolean;
  /** It was given back at `backOffAt` and may not come before `notBefore`. */
  notBefore: number;
  backOffAt: number;
  /** Since when it certainly waits, ready to be delivered to the working group. */
  waitingSince: number;
  lastReturnedBy: string;
  /** It was delivered to the working group: it holds a place, or used it. */
  hasPlace: boolean;
  /** A put into the sink for it was asked. */
  resultAsked: boolean;
  /** Such a put came from a consumer and not with a completion. */
  wasPut: boolean;
  /** It was completed with a result, wherever that is kept. */
  hasResult: boolean;
  /** The one index of its result in the sink. */
  resultIndex: number | undefined;
  /** Answered completions with their result: index, 0 = none. */
  completions: number;
  completedAs: 'succeeded' | 'failed' | undefined;
}

/** One result as readers of the sink see it. */
export interface ResultNote {
  readonly index: number;
  readonly entry: Entry;
  /** Since when it is certain that it is in the sink; undefined: it never was certain. */
  toldAt: number | undefined;
  removals: number;
  isGone: boolean;
  takenAt: number | undefined;
  /** Since when the answer that was taken had hidden it. */
  takenSince: number;
  /** Since when an answer on its way hides it. */
  hiddenSince: number | undefined;
  /** When such an answer was cut last. */
  shownAt: number;
}

const notYet = Number.POSITIVE_INFINITY;

export class Ledger {
  readonly entries: Entry[] = [];
  readonly results = new Map<number, ResultNote>();
  readonly #byIndex = new Map<number, Entry>();
  readonly #byId = new Map<string, Entry>();

  open(how: Pick<Entry, 'home' | 'priority' | 'callerId' | 'isPoison' | 'askedAt' | 'key'>): Entry {
    const entry: Entry = {
      ...how,
      token: this.entries.length,
      isCanceled: false,
      redriven: 'no',
      id: undefined,
      index: undefined,
      isAccepted: false,
      acceptedAt: 0,
      removals: 0,
      isGone: false,
      goneAt: notYet,
      causes: new Set(),
      leases: [],
      badPossible: 0,
      unseen: 0,
      hidden: 0,
      deaths: 0,
      isConvicted: false,
      badCertain: 0,
      mustBeDead: false,
      notBefore: 0,
      backOffAt: 0,
      waitingSince: notYet,
      lastReturnedBy: '',
      hasPlace: false,
      resultAsked: false,
      wasPut: false,
      hasResult: false,
      resultIndex: undefined,
      completions: 0,
      completedAs: undefined,
    };
    this.entries.push(entry);
    if (how.callerId !== undefined) this.learnId(entry, how.callerId);
    return entry;
  }

  openResult(index: number, entry: Entry): ResultNote {
    const note: ResultNote = {
      index,
      entry,
      toldAt: undefined,
      removals: 0,
      isGone: false,
      takenAt: undefined,
      takenSince: 0,
      hiddenSince: undefined,
      shownAt: 0,
    };
    this.results.set(index, note);
    return note;
  }

  learnId(entry: Entry, id: string): void {
    entry.id = id;
    this.#byId.set(id, entry);
  }

  learnIndex(entry: Entry, index: number): void {
    entry.index = index;
    this.#byIndex.set(index, entry);
  }

  byIndex(index: number): Entry | undefined {
    return this.#byIndex.get(index);
  }

  byId(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  byPayload(payload: Uint8Array): Entry | undefined {
    return this.entries[Number(new TextDecoder().decode(payload).slice(1).split('.')[0])];
  }

  /** Entries that are in the input queue beyond doubt. */
  certainInput(): Entry[] {
    return this.entries.filter(
      (entry) =>
        entry.isAccepted && !entry.isGone && entry.removals === 0 && entry.causes.size === 0,
    );
  }

  /** Results that are in the sink beyond doubt. */
  certainSink(): ResultNote[] {
    return [...this.results.values()].filter(
      (note) => note.toldAt !== undefined && !note.isGone && note.removals === 0,
    );
  }
}

export function payloadOf(entry: Entry): Uint8Array {
  return new TextEncoder().encode(`m${entry.token}`);
}

export function resultPayload(entry: Entry, mark: string): Uint8Array {
  return new TextEncoder().encode(`r${entry.token}.${mark}`);
}

/** The order of rule 8. */
export function isBefore(one: Entry, other: Entry): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority;
  return (one.index ?? 0) < (other.index ?? 0);
}
