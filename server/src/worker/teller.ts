// What one call says of itself while it is under way: passes it on in order, numbered by places,
// and shows with it that the work lives. A call that says nothing has none of this.

import { placesOf, type WorkNote } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { OutputTail } from './output-tail.ts';
import type { WorkDelivery, WorkNews, WorkSource } from './source.ts';

export interface TellerOptions {
  readonly source: WorkSource;
  /** undefined: nobody follows requests here. */
  readonly news: WorkNews | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** The idle time of a lease begins anew so often at most. */
const touchEveryMs = 1000;

export class Teller {
  readonly #delivery: WorkDelivery;
  readonly #options: TellerOptions;
  readonly #tail: OutputTail;
  #place = 0;
  /** Monotonic clock. */
  #touchedAt = Number.NEGATIVE_INFINITY;
  #stage = '';
  #percent: number | undefined;
  #isOver = false;

  constructor(delivery: WorkDelivery, options: TellerOptions) {
    this.#delivery = delivery;
    this.#options = options;
    this.#tail = new OutputTail(options.clock, (text) => {
      this.#done(options.source.progress(delivery.deliveryId, text));
    });
  }

  /** A piece of what the model streams. */
  output(contentType: string | undefined, piece: Uint8Array): void {
    if (this.#isOver || piece.length === 0) return;
    this.#tail.add(contentType, piece);
    this.#add([{ kind: 'output', data: piece }]);
  }

  /** What the model reports besides its answer. */
  report(notes: readonly WorkNote[]): void {
    if (this.#isOver || notes.length === 0) return;
    for (const note of notes) {
      if (note.kind === 'percent') this.#percent = note.value;
      else if (note.kind === 'stage') this.#stage = note.text;
    }
    const percent = this.#percent === undefined ? '' : `${this.#percent} %`;
    const text = [this.#stage, percent].filter((part) => part !== '').join(', ');
    if (text !== '') this.#tail.say(text);
    this.#add(notes);
  }

  /** The call is over: nothing more is passed on. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#tail.stop();
    this.#options.news?.end(this.#delivery);
  }

  #add(notes: readonly WorkNote[]): void {
    const { source, news, clock } = this.#options;
    news?.add(this.#delivery, notes, this.#place);
    for (const note of notes) this.#place += placesOf(note);
    const { mono } = clock.now();
    if (source.touch === undefined || mono - this.#touchedAt < touchEveryMs) return;
    this.#touchedAt = mono;
    this.#done(source.touch('input', this.#delivery.deliveryId));
  }

  /** A lease that is gone is heard of elsewhere, and the next word comes soon. */
  #done(said: Promise<void>): void {
    said.catch((error: unknown) => {
      this.#options.log.debug({ error }, 'word of running work not taken');
    });
  }
}
