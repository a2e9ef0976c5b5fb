// The guard against messages that end the instances they are given to: which ends of a delivery are
// deaths of its instance, and what a death, or a life that goes on, means for the message.

import type { SuspicionEffect } from './decision.ts';
import type { Entry } from './state.ts';
import { isSuspect, suspectDeaths } from './suspects.ts';

/** The code of a message that is dead because an instance died with it alone. */
export const convictedCode = 'PoisonConvicted';

/** The code of a delivery whose instance died; whoever gives a delivery back may say so. */
const diedCode = 'InstanceDied';
const lostCode = 'ConnectionLost';

/** Ends that count and say nothing about what the message did. */
const silentCodes: ReadonlySet<string> = new Set([lostCode, 'Damaged']);

interface End {
  readonly counted: boolean;
  readonly code: string;
  readonly reason: string;
}

/** What the end of a delivery to the working group says of its message. */
export interface Suspicion {
  readonly what: SuspicionEffect['what'] | undefined;
  /** A sentence; empty when nothing is to be told. */
  readonly text: string;
  /** What the mark remembers of it, and what is listed as the reason of this delivery's end. */
  readonly ending: { readonly deaths: number; readonly reason: string };
}

/** undefined: what was known of the message stays. A delivery that kept a checkpoint got somewhere:
 * deaths before it say nothing of the one after. */
export function judge({ mark, consumer, keptBy }: Entry, end: End): Suspicion | undefined {
  if (!end.counted) return undefined;
  const { code, reason } = end;
  // A stream that could have been resumed and was not stands for a death; an EAS watch can't be
  // resumed, so its loss may be anything.
  const died = code === diedCode || (code === lostCode && consumer?.kind === 'stream');
  if (!died) return !isSuspect(mark) || silentCodes.has(code) ? undefined : cleared(reason);
  const gotOn = keptBy === mark.deliveryId;
  const deaths = gotOn ? 1 : mark.deaths + 1;
  if (isSuspect(mark) && !gotOn) {
    const how = reason === '' ? '' : ` (${reason})`;
    const before = `after ${mark.deaths} had died while they held it`;
    const text = `an instance died while it held nothing else${how}, ${before}`;
    return { what: 'convicted', text, ending: { deaths, reason } };
  }
  if (deaths < suspectDeaths) return { what: undefined, text: '', ending: { deaths, reason } };
  const text = `suspect: ${deaths} instances died while they held it; it waits for one of its own`;
  return { what: 'suspect', text, ending: { deaths, reason: joined(reason, text) } };
}

function cleared(reason: string): Suspicion {
  const text = 'suspect no more: it was alone on an instance that lives';
  return { what: 'cleared', text, ending: { deaths: 0, reason: joined(reason, text) } };
}

function joined(reason: string, text: string): string {
  return reason === '' ? text : `${reason}; ${text}`;
}

/** What is told of it. */
export function noteOf({ index, mark }: Entry, suspicion: Suspicion | undefined): Note {
  if (suspicion?.what === undefined) return nothing;
  const { what, text } = suspicion;
  return [{ kind: 'suspicion', what, index, uid: mark.uid, reason: text }];
}

type Note = readonly SuspicionEffect[];
const nothing: Note = [];

/** A message was completed or committed: if it was suspect, its instance lives. */
export function survived(entry: Entry | undefined): Note {
  if (entry?.consumer === undefined || !isSuspect(entry.mark)) return nothing;
  return noteOf(entry, cleared(''));
}
