// From the probability of speech in each window to spans of time: short gaps are bridged, short
// bursts dropped, and what remains gets a little room at both ends. Pure.

export interface SpeechRules {
  /** From here on a window is speech; it stays so until 0.15 below. */
  readonly threshold: number;
  /** Shorter speech is dropped. */
  readonly speechMinMs: number;
  /** Shorter silence does not end speech. */
  readonly silenceMinMs: number;
  readonly padMs: number;
}

export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** Once speech has begun, less certainty is enough for it to go on. */
const slack = 0.15;

/**
 * With windows of 100 ms, a threshold of 0.5 and no pad, 0 0.9 0.4 0.1 0 is one span from 100 to
 * 300 ms.
 */
export function spansOf(
  probabilities: ArrayLike<number>,
  stepMs: number,
  { threshold, speechMinMs, silenceMinMs, padMs }: SpeechRules,
): readonly Span[] {
  const spans: Span[] = [];
  let start: number | undefined;
  let silentFrom: number | undefined;
  const finish = (endMs: number): void => {
    if (start !== undefined && endMs - start >= speechMinMs) spans.push({ startMs: start, endMs });
    start = undefined;
    silentFrom = undefined;
  };
  for (let at = 0; at < probabilities.length; at += 1) {
    const value = probabilities[at] ?? 0;
    const now = at * stepMs;
    if (value >= threshold) {
      start ??= now;
      silentFrom = undefined;
    } else if (start !== undefined && value < Math.max(0.01, threshold - slack)) {
      silentFrom ??= now;
      if (now + stepMs - silentFrom >= silenceMinMs) finish(silentFrom);
    }
  }
  const totalMs = probabilities.length * stepMs;
  finish(silentFrom ?? totalMs);
  return spans.map((span, at) => padded(span, spans[at - 1], spans[at + 1], padMs, totalMs));
}

/** Room at both ends; where two spans are close they share what lies between. */
function padded(
  { startMs, endMs }: Span,
  before: Span | undefined,
  after: Span | undefined,
  padMs: number,
  totalMs: number,
): Span {
  const roomBefore = before === undefined ? startMs : (startMs - before.endMs) / 2;
  const roomAfter = after === undefined ? totalMs - endMs : (after.startMs - endMs) / 2;
  return {
    startMs: startMs - Math.min(padMs, roomBefore),
    endMs: endMs + Math.min(padMs, roomAfter),
  };
}
