// What serves the plain requests of a lane.

import type { TextAnswer } from '../answer.ts';
import type { Bodies } from '../body.ts';
import type { PlainHead } from './head.ts';

/** Serves one request whose body is there; `answer` has to be called once, now or later. */
export type PlainServe = (body: Uint8Array, answer: (answer: TextAnswer) => void) => void;

export interface PlainHandler {
  /** How a request is served; undefined, for whatever reason: node:http shall have it. */
  admit(head: PlainHead): PlainServe | undefined;
  /** Where the bodies that come in several pieces have their room. */
  readonly bodies: Pick<Bodies, 'reserve' | 'release'>;
}
