// The ways to call the model: with a time-out, as a client that has to answer somebody, or as a
// request to Sluice whose result is waited for.

import type { RequestClient } from '@sluice/sdk';
import type { Load } from './load.ts';

/** How a call went. */
export interface Outcome {
  readonly kind: 'result' | 'timed out' | 'failed';
  /** From when it was to be made until its result came, or it was given up. */
  readonly tookMs: number;
}

export type Caller = (workMs: number, dueAt: number) => Promise<'result' | 'timed out' | 'failed'>;

/** Makes every call at its time, whatever became of those before. */
export async function play({ calls }: Load, caller: Caller): Promise<readonly Outcome[]> {
  const beginAt = performance.now();
  return Promise.all(
    calls.map(async ({ atMs, workMs }): Promise<Outcome> => {
      const dueAt = beginAt + atMs;
      await new Promise((resolve) => setTimeout(resolve, dueAt - performance.now()));
      const kind = await caller(workMs, dueAt);
      return { kind, tookMs: performance.now() - dueAt };
    }),
  );
}

/** An HTTP call that is given up after the time-out. */
export function direct(url: string, timeoutMs: number): Caller {
  return async (workMs, dueAt) => {
    const restMs = Math.max(0, timeoutMs - (performance.now() - dueAt));
    const signal = AbortSignal.timeout(Math.round(restMs));
    try {
      const answer = await fetch(url, { method: 'POST', body: `${workMs}`, signal });
      await answer.text();
      return answer.ok ? 'result' : 'failed';
    } catch {
      return signal.aborted ? 'timed out' : 'failed';
    }
  };
}

/** Submits a request and waits for its result, as long as that takes. */
export function through(client: RequestClient): Caller {
  return async (workMs) => {
    const result = await client.run(`${workMs}`);
    return result.ok ? 'result' : 'failed';
  };
}
