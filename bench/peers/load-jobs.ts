// What the load programs of the peers are asked to do and what they answer.

import type { Answer } from '../load/jobs.ts';

export type PeerJob =
  /** `inFlight` puts under way for a while. */
  | {
      readonly kind: 'put';
      readonly payloadBytes: number;
      readonly inFlight: number;
      readonly seconds: number;
    }
  /** Puts, takes and completes at once: the next is put when one is done. */
  | {
      readonly kind: 'cycle';
      readonly payloadBytes: number;
      readonly inFlight: number;
      readonly seconds: number;
      readonly consumers: number;
      readonly results: boolean;
    }
  /** The same at a fixed rate, whatever the queue does. */
  | {
      readonly kind: 'open';
      readonly payloadBytes: number;
      readonly perSecond: number;
      readonly seconds: number;
    }
  /** So many more messages wait, or as many as could be put in the time. */
  | {
      readonly kind: 'fill';
      readonly payloadBytes: number;
      readonly count: number;
      readonly secondsMax: number;
    }
  /** Waits until the first of them is in a consumer's hands. */
  | { readonly kind: 'first' }
  | { readonly kind: 'empty' };

export interface PeerAnswer {
  /** Puts of `put` and `fill`; completed messages of `cycle`; delivered ones of `open`. */
  readonly main: Answer;
  /** Of `open`: from when a put was due until it was acknowledged. */
  readonly submit: Answer | undefined;
}

export type PeerReply = { readonly answer: PeerAnswer } | { readonly error: string };
