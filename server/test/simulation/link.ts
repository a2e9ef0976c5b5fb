// One connection of a consumer of the input queue, as a client sees it: it opens, lives, stalls and
// is cut from either side.

import type { ConsumerKind, Delivery, Identity, Watch } from '../../src/broker/queues.ts';
import type { Holder } from './holders.ts';
import type { Entry } from './ledger.ts';
import type { Play } from './play.ts';

/** More than the broker hands to any connection. */
const stalledBytes = 2 ** 21;

export interface LinkHandlers {
  /** A message has come; `entry` is the request it belongs to. */
  deliver(entry: Entry, delivery: Delivery): void;
  voided(deliveryId: number): void;
}

export interface LinkOptions extends LinkHandlers {
  readonly by: Identity;
  readonly kind: ConsumerKind;
  readonly window: number;
}

export class Link {
  readonly holder: Holder;
  /** Deliveries that it has forgotten without ending them. */
  readonly hung = new Set<number>();
  readonly #kind: ConsumerKind;
  readonly #window: number;
  readonly #play: Play;
  readonly #handlers: LinkHandlers;
  #watch: Watch | undefined;
  #isAlive = false;
  #isStalled = false;
  #end: () => void = () => undefined;
  ended: Promise<void> = Promise.resolve();

  constructor(play: Play, options: LinkOptions) {
    const { by, kind, window } = options;
    this.#play = play;
    this.holder = play.oracle.holder(by);
    this.#kind = kind;
    this.#window = window;
    this.#handlers = options;
    play.stage.onDeath(() => this.#down());
  }

  /** Connects; answers whether that worked. */
  async open(): Promise<boolean> {
    const { stage } = this.#play;
    const { holder } = this;
    this.#isAlive = true;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const request = {
      by: { gid: holder.gid, uid: holder.key },
      kind: this.#kind,
      window: this.#window,
      from: 0,
      indexOnly: false,
      autoCommit: false,
      tags: new Map(),
      id: undefined,
      holding: [...holder.open].filter((deliveryId) => !this.hung.has(deliveryId)),
    };
    const isThis = this.#newSession();
    const answer = await stage.ask((queues) =>
      queues.watch('input', request, {
        deliver: (delivery) => {
          const entry = this.#play.oracle.ledger.byPayload(delivery.payload);
          if (isThis() && entry !== undefined) this.#handlers.deliver(entry, delivery);
        },
        voided: (deliveryId) => {
          if (isThis()) this.#handlers.voided(deliveryId);
        },
        closed: () => {
          if (isThis()) this.#down();
        },
        buffered: () => (this.#isStalled ? stalledBytes : 0),
      }),
    );
    if (answer.kind !== 'ok' || !isThis()) {
      this.#down();
      return false;
    }
    this.#watch = answer.value;
    return true;
  }

  /** The client's side ends the connection. */
  async close(how: 'cut' | 'dead' | 'drain'): Promise<void> {
    const { stage } = this.#play;
    const watch = this.#watch;
    if (!this.#isAlive || watch === undefined) return;
    stage.note(`${this.holder.key} leaves: ${how}`);
    this.#down();
    await stage.ask(() => watch.close(how));
  }

  /** Takes nothing from its connection for a while. */
  async stall(ms: number): Promise<void> {
    const { stage, oracle } = this.#play;
    if (!this.#isAlive || this.#isStalled) return;
    stage.note(`${this.holder.key} stalls`);
    this.#isStalled = true;
    oracle.holders.stalled(this.holder);
    await Promise.race([this.ended, stage.clock.sleep(ms)]);
    this.#isStalled = false;
    oracle.holders.flows(this.holder);
    this.#watch?.drained();
  }

  #session = 0;

  #newSession(): () => boolean {
    this.#session += 1;
    const mine = this.#session;
    return () => this.#isAlive && this.#session === mine;
  }

  #down(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#watch = undefined;
    this.#end();
  }
}
