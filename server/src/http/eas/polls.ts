// The long polls that wait: how many there are, and how they end early, when the client goes away
// or the server stops.

import type { Socket } from 'node:net';
import { PlatformError } from '@sluice/sdk/wire';
import { type EdgeLimits, limitText } from '../limits.ts';

export interface Poll {
  readonly signal: AbortSignal;
  /** Must be called when the poll is over. */
  leave(): void;
}

export class Polls {
  readonly #limits: EdgeLimits;
  readonly #waiting = new Set<AbortController>();
  #draining = false;

  constructor(limits: EdgeLimits) {
    this.#limits = limits;
  }

  /** Whether polls end because the server stops. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Begins a poll whose signal is cancelled when the connection ends; 503 over the limit. */
  enter(socket: Socket): Poll {
    if (this.#waiting.size >= this.#limits.pollsMax) {
      const text = `too many long polls at once: ${limitText(this.#limits, 'pollsMax')}`;
      throw new PlatformError('unavailable', text, { retryAfterMs: 1000 });
    }
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    this.#waiting.add(controller);
    socket.once('close', abort);
    if (this.#draining || socket.destroyed) abort();
    return {
      signal: controller.signal,
      leave: () => {
        socket.off('close', abort);
        this.#waiting.delete(controller);
      },
    };
  }

  /** Ends every poll, now and from now on. */
  drain(): void {
    this.#draining = true;
    for (const controller of this.#waiting) controller.abort();
  }
}
