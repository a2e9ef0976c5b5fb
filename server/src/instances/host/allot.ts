// Gives what is free of the machine to those who want to start instances, one instance at a time in
// the order of `order.ts`, and says to the others what is missing. Pure.

import type { Resources } from '../../deployment/instances.ts';
import type { Ledger } from './ledger.ts';
import { type Claim, compareClaims } from './order.ts';

export interface Ask extends Omit<Claim, 'isOwed'> {
  /** Of one instance. */
  readonly resources: Resources;
  /** Instances it would start now. */
  readonly wants: number;
  /** How many of these take the place of others that it gave up for them. */
  readonly owed: number;
}

export interface Allotment {
  /** One entry for each instance that may start: its accelerators. */
  readonly granted: readonly (readonly number[])[];
  /** Why not all may; undefined: all may. */
  readonly shortage: string | undefined;
  /** The machine is too small for even one, whatever else runs. */
  readonly isTooLarge: boolean;
}

/** By service. What is granted is booked in the ledger. */
export function allot(ledger: Ledger, asks: readonly Ask[]): ReadonlyMap<string, Allotment> {
  const given = new Map<string, readonly number[][]>();
  const refused = new Map<string, { shortage: string; isTooLarge: boolean }>();
  let waiting = asks.filter(({ wants }) => wants > 0);
  let isKept = false;
  while (waiting.length > 0) {
    const ask = firstOf(waiting);
    const { service, resources } = ask;
    const rest = waiting.filter((one) => one !== ask);
    const devices = ledger.take(service, resources);
    if (devices === undefined) {
      const isTooLarge = !ledger.couldFit(resources);
      refused.set(service, { shortage: ledger.explain(resources), isTooLarge });
      if (!isTooLarge && !isKept) {
        ledger.reserve(service, resources);
        isKept = true;
      }
      waiting = rest;
      continue;
    }
    given.set(service, [...(given.get(service) ?? []), [...devices]]);
    const { wants, owed, instances } = ask;
    const left = { wants: wants - 1, owed: Math.max(0, owed - 1), instances: instances + 1 };
    waiting = left.wants === 0 ? rest : [...rest, { ...ask, ...left }];
  }
  return new Map(
    asks.map(({ service }) => {
      const { shortage, isTooLarge = false } = refused.get(service) ?? {};
      return [service, { granted: given.get(service) ?? [], shortage, isTooLarge }];
    }),
  );
}

function firstOf(asks: readonly Ask[]): Ask {
  return asks.reduce((best, ask) => (compareClaims(claimOf(ask), claimOf(best)) < 0 ? ask : best));
}

const claimOf = (ask: Ask): Claim => ({ ...ask, isOwed: ask.owed > 0 });
