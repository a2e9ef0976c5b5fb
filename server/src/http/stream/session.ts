// What outlives a connection: the answers to calls about deliveries that a client may never have
// read. When it comes back and repeats such a call, the stale token is recognised as its own work.

import { NumberTable } from '@sluice/sdk/wire';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import type { StreamLimits } from './limits.ts';

export class Session {
  readonly id: string;
  readonly uid: string;
  readonly token: string;
  readonly #settledMax: number;
  readonly #settled = new NumberTable<number>();
  /** The deliveries that are remembered, in a ring. A map that is emptied at its head and filled at
   * its tail finds its head ever more slowly. */
  readonly #order: number[] = [];
  #oldest = 0;
  /** Its token was good for a queue. */
  isTrusted = false;
  /** Closes the connection that has the session now. */
  detach: (() => void) | undefined;

  constructor(options: {
    readonly id: string;
    readonly uid: string;
    readonly token: string;
    readonly settledMax: number;
  }) {
    this.id = options.id;
    this.uid = options.uid;
    this.token = options.token;
    this.#settledMax = options.settledMax;
  }

  /**
   * Remembers the answer about a delivery. A client has at most `operationsMax` calls without an
   * answer, and answers arrive in order: so this many are always enough.
   */
  settled(deliveryId: number, value: number): void {
    const isNew = !this.#settled.has(deliveryId);
    this.#settled.set(deliveryId, value);
    if (!isNew) return;
    if (this.#order.length < this.#settledMax) {
      this.#order.push(deliveryId);
      return;
    }
    this.#settled.delete(this.#order[this.#oldest] ?? 0);
    this.#order[this.#oldest] = deliveryId;
    this.#oldest = (this.#oldest + 1) % this.#settledMax;
  }

  /** What a call about the delivery was answered; undefined = there was none, or long ago. */
  answerOf(deliveryId: number): number | undefined {
    return this.#settled.get(deliveryId);
  }
}

/** All sessions: of open connections, and for a while of lost ones. */
export class Sessions {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: StreamLimits;
  readonly #all = new Map<string, Session>();
  /** Lost ones, oldest first, with the time at which they are forgotten. */
  readonly #lost = new Map<Session, number>();

  constructor(clock: Clock, random: Random, limits: StreamLimits) {
    this.#clock = clock;
    this.#random = random;
    this.#limits = limits;
  }

  /**
   * The session that a hello asks for, when it is known, of the same user id and the same token;
   * else a new one. A connection that still has it is closed: the newest wins.
   */
  attach(wanted: string, uid: string, token: string): Session {
    this.#forget();
    const known = this.#all.get(wanted);
    if (known !== undefined && known.uid === uid && known.token === token) {
      known.detach?.();
      this.#lost.delete(known);
      return known;
    }
    const id = this.#random.secret(16);
    const session = new Session({ id, uid, token, settledMax: this.#limits.operationsMax });
    this.#all.set(id, session);
    return session;
  }

  /** The connection is lost; the client may come back. Whoever had no token that is good for
   * anything did nothing that would have to be remembered, and can fill no memory. */
  lose(session: Session): void {
    if (!session.isTrusted) {
      this.end(session);
      return;
    }
    session.detach = undefined;
    this.#lost.delete(session);
    this.#lost.set(session, this.#clock.now().mono + this.#limits.sessionMs);
    this.#forget();
  }

  /** The client has left for good. */
  end(session: Session): void {
    session.detach = undefined;
    this.#lost.delete(session);
    this.#all.delete(session.id);
  }

  #forget(): void {
    const now = this.#clock.now().mono;
    for (const [session, until] of this.#lost) {
      if (until > now && this.#lost.size <= this.#limits.sessionsMax) return;
      this.end(session);
    }
  }
}
