// What is noted of a request at its end and after it, as one text in its record: engines need not
// know of it. Each note is about something that the rules could not know when the request came to
// rest: when a canceled call was really over, what a dead message was put anew as.

import type { BodyPlace } from './terms.ts';

export interface Afterwards {
  /** It was being worked on when it was taken away. */
  readonly wasRunning?: boolean;
  /** Wall clock when the model was known to be free of a call that was taken away. */
  readonly freedAt?: number;
  /** The input index of the request that was made from this dead one. */
  readonly redrivenAs?: number;
  /** Where a result lies that was too large for the store of results. */
  readonly result?: BodyPlace;
}

/** As text; undefined when there is nothing to note. */
export function writeAfterwards(notes: Afterwards): string | undefined {
  return Object.keys(notes).length === 0 ? undefined : JSON.stringify(notes);
}

/** What `writeAfterwards` wrote. */
export function readAfterwards(text: string | undefined): Afterwards {
  // Only `writeAfterwards` makes these texts, and rows carry checksums.
  return text === undefined ? {} : (JSON.parse(text) as Afterwards);
}
