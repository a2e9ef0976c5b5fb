// Which messages instances have died with, as clients can know it, and what follows (rule 9): after
// two deaths a message is alone, after one more there it is dead, and nobody else is.

import type { Entry, LeaseNote } from './ledger.ts';
import { serviceName } from './service.ts';
import { fact } from './trace.ts';

const suspectDeaths = 2;

/** The most deaths there may have been: seen ones and those of deliveries that nobody saw. */
export function deathsPossible({ leases, unseen }: Entry): number {
  return leases.filter((lease) => lease.mayHaveDied).length + unseen;
}

/** Whether it may have to wait for an instance of its own, or had to. */
export function mayBeSuspect(entry: Entry): boolean {
  return deathsPossible(entry) >= suspectDeaths;
}

/** A lease of the working group begins; `before` says whether it is known how the last one that
 * somebody saw has ended, `deliveries` how often the message was delivered by now. */
export function begins(
  entry: Entry,
  lease: LeaseNote,
  before: { readonly isKnown: boolean },
  deliveries: number,
): void {
  const seen = entry.leases.filter(({ gid }) => gid === serviceName).length;
  const hidden = deliveries - seen;
  // A delivery that nobody saw may have ended well.
  const isKnown = before.isKnown && hidden === entry.hidden;
  entry.hidden = hidden;
  if (!isKnown) entry.deaths = 0;
  if (entry.deaths >= suspectDeaths) mustBeAlone(entry, lease);
}

/** A holder has this one beside others. */
export function hasCompany(entry: Entry, lease: LeaseNote): void {
  lease.hadCompany = true;
  if (lease.isSuspect) mustBeAlone(entry, lease);
}

function mustBeAlone(entry: Entry, lease: LeaseNote): void {
  lease.isSuspect = true;
  const text = `${lease.holder} has ${entry.index}, which is suspect, beside others`;
  fact(!lease.hadCompany, '9', text);
}

/** It may have been a death, asked for or on its own; what it was nobody knows yet. */
export function mayDie(lease: LeaseNote, now: number): void {
  lease.mayHaveDied = true;
  lease.askedAt = now;
  lease.end = 'asked';
}

/** It was a death: answers whether that was the message's last. */
export function died(entry: Entry, lease: LeaseNote): void {
  if (lease.end === 'died') return;
  lease.end = 'died';
  entry.deaths += 1;
  if (lease.isSuspect) {
    entry.isConvicted = true;
    return;
  }
  if (entry.deaths < suspectDeaths) return;
  // The next delivery may have been seen before the answer.
  const next = entry.leases.filter(({ gid }) => gid === serviceName).at(-1);
  if (next !== undefined && next !== lease) mustBeAlone(entry, next);
}

/** Nobody was told whether it was a death. */
export function mayHaveLived(entry: Entry, lease: LeaseNote): void {
  lease.end = 'unknown';
  entry.deaths = 0;
}
