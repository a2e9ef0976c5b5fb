// The watches of one process as the oracle sees them: who holds what, from the call that opens a
// watch to its end, whoever ends it.

import type {
  Delivery,
  Watch,
  WatchEnd,
  WatchRequest,
  WatchSink,
} from '../../src/broker/queues.ts';
import type { QueueName } from '../../src/queue/message.ts';
import type { Answer } from './answer.ts';
import type { Holder } from './holders.ts';
import type { Oracle } from './oracle.ts';
import type { Results } from './results.ts';
import type { Stage } from './stage.ts';

/** One watch from the call that asks for it on. */
export interface JudgedWatch {
  readonly sink: WatchSink;
  answered(answer: Answer<Watch>): void;
  /** The watch as its owner gets it. */
  face(watch: Watch): Watch;
}

export class JudgedWatches {
  readonly #stage: Stage;
  readonly #oracle: Oracle;
  readonly #results: Results;
  readonly #open = new Set<InputWatch>();
  #isAlive = true;

  constructor(stage: Stage, oracle: Oracle, results: Results) {
    this.#stage = stage;
    this.#oracle = oracle;
    this.#results = results;
  }

  begin(queue: QueueName, request: WatchRequest, sink: WatchSink): JudgedWatch {
    const isAlive = (): boolean => this.#isAlive;
    if (queue === 'input') {
      const { kind, window, by } = request;
      const holder = this.#oracle.holder(by);
      const watch = new InputWatch({
        stage: this.#stage,
        oracle: this.#oracle,
        holder,
        request,
        sink,
        over: () => this.#open.delete(watch),
      });
      this.#oracle.groups.attachAsked(by.gid);
      holder.kind = kind;
      holder.window = window;
      this.#open.add(watch);
      watch.begin();
      return watch;
    }
    const results = queue === 'sink' ? this.#results : undefined;
    return readerOf(this.#stage, results, request, { sink, isAlive });
  }

  died(): void {
    this.#isAlive = false;
    for (const watch of [...this.#open]) watch.down('the process died');
  }
}

interface InputWatchOptions {
  readonly stage: Stage;
  readonly oracle: Oracle;
  readonly holder: Holder;
  readonly request: WatchRequest;
  readonly sink: WatchSink;
  readonly over: () => void;
}

class InputWatch implements JudgedWatch {
  readonly sink: WatchSink;
  readonly #options: InputWatchOptions;
  readonly #claims: readonly number[];
  #session = 0;
  #isOver = false;

  constructor(options: InputWatchOptions) {
    this.#options = options;
    const { request, sink } = options;
    this.#claims = request.kind === 'stream' ? request.holding : [];
    this.sink = {
      deliver: (delivery) => this.#deliver(delivery),
      voided: (deliveryId, reason) => this.#voided(deliveryId, reason),
      closed: (reason) => {
        options.stage.note(`a watch of ${options.holder.key} ends: ${reason}`);
        this.down(reason);
        sink.closed(reason);
      },
      buffered: () => sink.buffered(),
    };
  }

  begin(): void {
    const { oracle, holder } = this.#options;
    holder.session += 1;
    this.#session = holder.session;
    oracle.holders.lost(holder, new Set(this.#claims));
  }

  answered(answer: Answer<Watch>): void {
    const { oracle, holder, request } = this.#options;
    if (answer.kind !== 'ok') {
      this.down(answer.kind);
      return;
    }
    oracle.groups.attached(holder.gid);
    if (!this.#isThis || request.kind !== 'stream') return;
    oracle.holders.resumed(holder, this.#claims, answer.value.held);
  }

  face(watch: Watch): Watch {
    return {
      by: watch.by,
      held: watch.held,
      drained: () => watch.drained(),
      pause: () => watch.pause(),
      resume: () => watch.resume(),
      close: async (how) => {
        const wasOpen = this.#isThis;
        const { holder, oracle } = this.#options;
        const died = how === 'dead' ? oracle.holders.dying(holder) : () => undefined;
        this.down(how);
        let isDone = false;
        try {
          await watch.close(how);
          isDone = wasOpen;
        } finally {
          died(isDone);
        }
        if (wasOpen) this.#options.oracle.holders.doubtUnseen(this.#options.holder);
      },
    };
  }

  /** It is over, or its process is. */
  down(why: WatchEnd | string): void {
    const wasThis = this.#isThis;
    if (this.#isOver) return;
    this.#isOver = true;
    const { stage, oracle, holder, over } = this.#options;
    over();
    if (!wasThis) return;
    const canResume = holder.kind === 'stream' && why !== 'dead' && why !== 'drain';
    stage.note(`${holder.key} is cut off: ${why}`);
    oracle.holders.lost(holder, canResume ? new Set(holder.open) : new Set());
  }

  /** Another watch of the same consumer has not been asked for since. */
  get #isThis(): boolean {
    return !this.#isOver && this.#options.holder.session === this.#session;
  }

  #deliver(delivery: Delivery): void {
    // To a consumer that is connected elsewhere by now: it never sees this.
    if (!this.#isThis) return;
    const { stage, oracle, holder, sink } = this.#options;
    try {
      oracle.delivered(holder, delivery);
    } catch (error) {
      stage.failure ??= error;
      return;
    }
    sink.deliver(delivery);
  }

  #voided(deliveryId: number, reason: string): void {
    if (!this.#isThis) return;
    const { stage, oracle, holder, sink } = this.#options;
    try {
      oracle.holders.voided(holder, deliveryId);
    } catch (error) {
      stage.failure ??= error;
    }
    sink.voided(deliveryId, reason);
  }
}

/** A watch of the sink: everything it is shown is a result. */
function readerOf(
  stage: Stage,
  results: Results | undefined,
  { by }: WatchRequest,
  { sink, isAlive }: { readonly sink: WatchSink; readonly isAlive: () => boolean },
): JudgedWatch {
  return {
    sink: {
      deliver: (delivery) => {
        if (!isAlive()) return;
        stage.note(`deliver sink ${delivery.index} to ${by.uid}`);
        try {
          results?.seen(delivery, { by: 'watch' });
        } catch (error) {
          stage.failure ??= error;
          return;
        }
        sink.deliver(delivery);
      },
      voided: (deliveryId, reason) => sink.voided(deliveryId, reason),
      closed: (reason) => {
        if (isAlive()) sink.closed(reason);
      },
      buffered: () => sink.buffered(),
    },
    answered: () => undefined,
    face: (watch) => watch,
  };
}
