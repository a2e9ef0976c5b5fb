// What an outsider knows: which puts the server has answered, and which results were seen where.
// It believes nothing that the server says about itself, only what clients were told and given.

/** What became of the accepted puts, in numbers. */
export interface Balance {
  readonly accepted: number;
  /** With a result that somebody was given. */
  readonly results: number;
  /** Still in the input queue when everything was at rest. */
  readonly waiting: number;
  /** In the rear queue, or with a notice of death in the sink. */
  readonly dead: number;
  /** Removed on purpose, by deleting the message or its service. */
  readonly deleted: number;
  /** Accepted, and none of the four above. */
  readonly lost: number;
  /** Accepted, with results under two different indexes of the sink. */
  readonly duplicated: number;
}

/** One put, known by its request id; repeated puts of one id are one put. */
interface Put {
  index: number | undefined;
  /** Where in the sink something was seen for it. */
  readonly sinkIndexes: Set<number>;
  hasResult: boolean;
  isDead: boolean;
  isWaiting: boolean;
  isDeleted: boolean;
}

interface Waiter {
  readonly count: number;
  readonly wake: () => void;
}

export class Ledger {
  readonly #puts = new Map<string, Put>();
  readonly #owners = new Map<string, string>();
  readonly #contradictions: string[] = [];
  #accepted = 0;
  #settled = 0;
  #waiters: readonly Waiter[] = [];

  get acceptedCount(): number {
    return this.#accepted;
  }

  /** Accepted puts of which nothing has come back yet. */
  get openCount(): number {
    return this.#accepted - this.#settled;
  }

  /** Things that must not be, whatever the numbers say. */
  get contradictions(): readonly string[] {
    return this.#contradictions;
  }

  /** A put is about to be sent; it may have been before. */
  asked(id: string): void {
    if (this.#puts.has(id)) return;
    this.#puts.set(id, {
      index: undefined,
      sinkIndexes: new Set(),
      hasResult: false,
      isDead: false,
      isWaiting: false,
      isDeleted: false,
    });
  }

  /** The put was answered with this index of the service's input queue. Request ids are unique in
   * the ledger, indexes in a service. */
  accepted(id: string, index: number, service: string): void {
    const put = this.#put(id, 'accepted');
    if (put === undefined) return;
    if (put.index === undefined) {
      put.index = index;
      this.#accepted += 1;
      if (isSettled(put)) this.#settled += 1;
      const owner = this.#owners.get(`${service} ${index}`);
      if (owner !== undefined) this.#contradict(`${owner} and ${id} share index ${index}`);
      this.#owners.set(`${service} ${index}`, id);
      this.#wake();
    } else if (put.index !== index) {
      this.#contradict(`${id} was answered with ${put.index} and with ${index}`);
    }
  }

  /** Something was handed out from the sink. It must be the result of that put and no other. */
  seen(id: string, sinkIndex: number, text: string, lastCode: string | undefined): void {
    const put = this.#put(id, 'a result');
    if (put === undefined) return;
    this.#settle(put, () => {
      put.sinkIndexes.add(sinkIndex);
      if (lastCode !== undefined) put.isDead = true;
      else put.hasResult = true;
    });
    if (lastCode === undefined && text !== resultOf(id)) {
      this.#contradict(`the result of ${id} is ${JSON.stringify(text.slice(0, 60))}`);
    }
  }

  /** It is in the input queue now that everything is at rest. */
  waits(id: string): void {
    const put = this.#put(id, 'a waiting message');
    if (put !== undefined) put.isWaiting = true;
  }

  /** It is in the rear queue. */
  died(id: string): void {
    const put = this.#put(id, 'a dead message');
    if (put !== undefined) this.#settle(put, () => (put.isDead = true));
  }

  /** It was, or may have been, removed on purpose. */
  deleted(id: string): void {
    const put = this.#put(id, 'a deleted message');
    if (put !== undefined) this.#settle(put, () => (put.isDeleted = true));
  }

  /** Resolves when so many puts have been accepted altogether. */
  until(count: number): Promise<void> {
    return new Promise((wake) => {
      if (this.#accepted >= count) wake();
      else this.#waiters = [...this.#waiters, { count, wake }];
    });
  }

  balance(): Balance {
    const all = [...this.#puts.values()];
    const accepted = all.filter(({ index }) => index !== undefined);
    const count = (is: (put: Put) => boolean): number => accepted.filter(is).length;
    return {
      accepted: accepted.length,
      results: count((put) => put.hasResult),
      waiting: count((put) => stateOf(put) === 'waiting'),
      dead: count((put) => stateOf(put) === 'dead'),
      deleted: count((put) => stateOf(put) === 'deleted'),
      lost: count((put) => stateOf(put) === 'lost'),
      // A put whose answer never arrived may have been stored as well: it counts here.
      duplicated: all.filter(({ sinkIndexes }) => sinkIndexes.size > 1).length,
    };
  }

  /** The ids behind the two numbers that must be 0. */
  evidence(): { readonly lost: readonly string[]; readonly duplicated: readonly string[] } {
    const ids = (is: (put: Put) => boolean): readonly string[] =>
      [...this.#puts].filter(([, put]) => is(put)).map(([id]) => id);
    return {
      lost: ids((put) => put.index !== undefined && stateOf(put) === 'lost'),
      duplicated: ids(({ sinkIndexes }) => sinkIndexes.size > 1),
    };
  }

  #put(id: string, what: string): Put | undefined {
    const put = this.#puts.get(id);
    if (put === undefined) this.#contradict(`${what} with the id ${id}, which nobody has put`);
    return put;
  }

  #settle(put: Put, change: () => void): void {
    const before = isSettled(put);
    change();
    if (!before && put.index !== undefined) this.#settled += 1;
  }

  #contradict(text: string): void {
    this.#contradictions.push(text);
  }

  #wake(): void {
    for (const { count, wake } of this.#waiters) if (this.#accepted >= count) wake();
    this.#waiters = this.#waiters.filter(({ count }) => this.#accepted < count);
  }
}

/** What every worker and model of the harness answers to the request with this id. */
export function resultOf(id: string): string {
  return `result of ${id}`;
}

function isSettled(put: Put): boolean {
  return put.hasResult || put.isDead || put.isDeleted;
}

function stateOf(put: Put): 'result' | 'dead' | 'waiting' | 'deleted' | 'lost' {
  if (put.hasResult) return 'result';
  if (put.isDead) return 'dead';
  if (put.isWaiting) return 'waiting';
  return put.isDeleted ? 'deleted' : 'lost';
}
