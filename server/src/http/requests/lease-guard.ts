// Watches over one lease while bytes of its request travel: they show that work goes on, so its
// idle time begins anew; and they stop as soon as the lease has gone to somebody else.

import type { Socket } from 'node:net';
import { PlatformError } from '@sluice/sdk/wire';
import type { Queues } from '../../broker/queues.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';

/** How often a look is worth while; a worker touches its leases as often. */
const lookMs = 1000;

export interface LeaseGuardOptions {
  readonly queues: Queues;
  readonly deliveryId: number;
  /** The connection over which the bytes travel. */
  readonly socket: Socket;
  /** Called once, when the lease is gone. */
  readonly lost: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

export class LeaseGuard {
  readonly #options: LeaseGuardOptions;
  #seen: number;
  #timer: Timer | undefined;

  /** Throws `stale_delivery` when the lease is not current. */
  constructor(options: LeaseGuardOptions) {
    this.#options = options;
    checkLease(options);
    this.#seen = this.#travelled();
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(lookMs, () => this.#look());
  }

  #look(): void {
    const { queues, deliveryId, lost, log } = this.#options;
    if (queues.leaseOf(deliveryId) === undefined) {
      lost();
      return;
    }
    const travelled = this.#travelled();
    if (travelled > this.#seen) {
      queues.touch('input', deliveryId).catch((error: unknown) => {
        log.debug({ deliveryId, error }, 'a lease was not touched');
      });
    }
    this.#seen = travelled;
    this.#arm();
  }

  #travelled(): number {
    const { bytesRead, bytesWritten } = this.#options.socket;
    return bytesRead + bytesWritten;
  }
}

/** The index under lease; throws `stale_delivery` when the lease is not current. */
export function checkLease({
  queues,
  deliveryId,
}: Pick<LeaseGuardOptions, 'queues' | 'deliveryId'>): number {
  const lease = queues.leaseOf(deliveryId);
  if (lease !== undefined) return lease.index;
  throw new PlatformError('stale_delivery', `delivery ${deliveryId} is no longer current`);
}
