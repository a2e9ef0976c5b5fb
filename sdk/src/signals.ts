// Listening to a caller's AbortSignal. Programs pass one signal to thousands of calls; each signal
// gets one listener from here however many calls wait, because Node warns of more than ten.

interface Listening {
  readonly runs: Set<() => void>;
  readonly listener: () => void;
}

const listening = new WeakMap<AbortSignal, Listening>();

/** Runs `run` once when the signal is aborted; call what is returned when that matters no more. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const { runs, listener } = listening.get(signal) ?? listen(signal);
  runs.add(run);
  return () => {
    if (!runs.delete(run) || runs.size > 0 || listening.get(signal)?.runs !== runs) return;
    listening.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}

function listen(signal: AbortSignal): Listening {
  const runs = new Set<() => void>();
  const listener = (): void => {
    listening.delete(signal);
    for (const run of [...runs]) run();
  };
  const begun = { runs, listener };
  listening.set(signal, begun);
  signal.addEventListener('abort', listener, { once: true });
  return begun;
}
