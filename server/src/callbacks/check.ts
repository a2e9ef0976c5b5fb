// Whether a callback may be asked for: at submission, so that a mistake is told to the one who made
// it. The address is checked again whenever something is sent there.

import { PlatformError } from '@sluice/sdk/wire';
import {
  type AllowList,
  checkTarget,
  type PinnedAddress,
  type Resolve,
} from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { CallbackWish } from '../queue/terms.ts';

/** The ends that can be told. */
export const callbackEvents: readonly string[] = [
  'succeeded',
  'failed',
  'dead',
  'dropped',
  'expired',
  'canceled',
];

/** Nobody waits longer for a name server to submit a request. */
const patienceMs = 1000;
const cachedMs = 10_000;
const cachedMax = 1000;

/**
 * Rejects with `unprocessable` when the address is not allowed (the text names the setting), with
 * `bad_request` when an event is unknown. A name that can't be looked up now is let through: it is
 * looked up again at every delivery.
 */
export async function checkCallback(
  { url, events }: CallbackWish,
  allow: AllowList,
  { clock, resolve }: { readonly clock: Clock; readonly resolve: Resolve },
): Promise<void> {
  const strange = events.filter((event) => !callbackEvents.includes(event));
  if (strange.length > 0) {
    const text = `${strange.join(', ')} is none of ${callbackEvents.join(', ')}`;
    throw new PlatformError('bad_request', `callback events: ${text}`);
  }
  await new Promise<void>((settle, refuse) => {
    const timer = clock.after(patienceMs, settle);
    checkTarget(url, allow, resolve)
      .then(
        () => settle(),
        (error: unknown) => (isUnknown(error) ? settle() : refuse(error)),
      )
      .finally(() => timer.cancel());
  });
}

function isUnknown(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'unavailable';
}

/** Looks each name up once in a while, however many ask for it. */
export function cachedResolve(resolve: Resolve, clock: Clock): Resolve {
  const known = new Map<string, { at: number; found: Promise<readonly PinnedAddress[]> }>();
  return (host) => {
    const now = clock.now().mono;
    const before = known.get(host);
    if (before !== undefined && now - before.at < cachedMs) return before.found;
    const found = resolve(host);
    known.delete(host);
    known.set(host, { at: now, found });
    found.catch(() => {
      if (known.get(host)?.found === found) known.delete(host);
    });
    for (const oldest of known.keys()) {
      if (known.size <= cachedMax) break;
      known.delete(oldest);
    }
    return found;
  };
}
