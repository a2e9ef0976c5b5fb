// One connection of a consumer of the input queue, as a client sees it: it opens, lives, is cut
// from either side, and tells the oracle all of it.

import type { Delivery, Watch, WatchEnd } from '../../src/broker/queues.ts';
import type { Entry } from './ledger.ts';
import type { Holder } from './oracle.ts';
import type { Play } from './play.ts';

export interface LinkHandlers {
  /** A message has come; `entry` is the request it belongs to. */
  deliver(entry: Entry, delivery: Delivery): void;
  voided(deliveryId: number): void;
}

export class Link {
  readonly holder: Holder;
  readonly #play: Play;
  readonly #handlers: LinkHandlers;
  #watch: Watch | undefined;
  #isAlive = false;
  #end: () => void = () => undefined;
  ended: Promise<void> = Promise.resolve();

  constructor(play: Play, holder: Holder, handlers: LinkHandlers) {
    this.#play = play;
    this.holder = holder;
    this.#handlers = handlers;
    play.stage.onDeath(() => this.#down('the process died'));
  }

  /** Connects; answers whether that worked. */
  async open(): Promise<boolean> {
    const { stage, oracle } = this.#play;
    const { holder } = this;
    const claims = [...holder.open].filter((deliveryId) => !holder.hung.has(deliveryId));
    const holding = holder.kind === 'stream' ? claims : [];
    oracle.lost(holder, new Set(holding));
    this.#isAlive = true;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const request = {
      by: { gid: holder.gid, uid: holder.key },
      kind: holder.kind,
      window: holder.window,
      from: 0,
      indexOnly: false,
      autoCommit: false,
      tags: new Map(),
      id: undefined,
      holding,
    };
    const isThis = this.#newSession();
    const answer = await stage.ask((queues) =>
      queues.watch('input', request, {
        deliver: (delivery) => {
          if (!isThis()) return;
          this.#guard(() => this.#handlers.deliver(oracle.delivered(holder, delivery), delivery));
        },
        voided: (deliveryId) => {
          if (!isThis()) return;
          this.#guard(() => oracle.voided(holder, deliveryId));
          this.#handlers.voided(deliveryId);
        },
        closed: (reason) => {
          if (isThis()) this.#down(reason);
        },
        buffered: () => 0,
      }),
    );
    if (answer.kind !== 'ok' || !isThis()) {
      this.#down(answer.kind);
      return false;
    }
    this.#watch = answer.value;
    if (holder.kind === 'stream') oracle.resumed(holder, holding, answer.value.held);
    return true;
  }

  /** The client's side ends the connection. */
  async close(how: 'cut' | 'dead' | 'drain'): Promise<void> {
    const { stage } = this.#play;
    const watch = this.#watch;
    if (!this.#isAlive || watch === undefined) return;
    stage.note(`${this.holder.key} leaves: ${how}`);
    this.#down(how);
    await stage.ask(() => watch.close(how));
    this.#play.oracle.doubtUnseen(this.holder);
  }

  #session = 0;

  #newSession(): () => boolean {
    this.#session += 1;
    const mine = this.#session;
    return () => this.#isAlive && this.#session === mine;
  }

  #down(why: WatchEnd | string): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#watch = undefined;
    const { holder } = this;
    const canResume = holder.kind === 'stream' && why !== 'dead' && why !== 'drain';
    this.#play.stage.note(`${holder.key} is cut off: ${why}`);
    this.#play.oracle.lost(holder, canResume ? new Set(holder.open) : new Set());
    this.#end();
  }

  /** What the oracle finds inside a callback of the broker ends the run, not the broker. */
  #guard(judge: () => void): void {
    try {
      judge();
    } catch (error) {
      this.#play.stage.failure ??= error;
    }
  }
}
