// What the load programs know of a queue, whichever it is: put, work, empty. Each peer has one
// adapter in adapters/, which uses its client the way its own manual says is fastest.

/** Text for peers that keep JSON, bytes for the others. */
export type Body = string | Uint8Array;

export interface Adapter {
  readonly form: 'text' | 'bytes';
  /** One message; resolves when the peer has acknowledged it. */
  put(body: Body): Promise<unknown>;
  /** Many messages as fast as the peer takes them; only to make a backlog. */
  fill(bodies: readonly Body[]): Promise<unknown>;
  /** Starts consumers; resolves when they are ready. */
  work(options: WorkOptions): Promise<Work>;
  /** Removes every message. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

export interface WorkOptions {
  readonly consumers: number;
  /** Whether each message gets a result of its own size, which goes back to the submitter. */
  readonly results: boolean;
  /** A message is in a consumer's hands. */
  delivered(body: Body): void;
  /** The peer has confirmed that a message is completed; with results: the result is here. */
  done(body: Body): void;
  failed(error: unknown): void;
}

export interface Work {
  stop(): Promise<void>;
}

/** Messages that consumers may hold, all of them together, whatever their number. */
export const windowOfAll = 1024;

/** The part of each of `consumers`. */
export function windowOfEach(consumers: number): number {
  return Math.max(1, Math.ceil(windowOfAll / consumers));
}

/** Runs `turn` again and again in `count` loops until it is told to stop; waits for the last ones. */
export function loops(
  count: number,
  turn: (isOver: () => boolean) => Promise<void>,
  failed: (error: unknown) => void,
): Work {
  let isOver = false;
  const one = async (): Promise<void> => {
    try {
      while (!isOver) await turn(() => isOver);
    } catch (error) {
      // Ended connections are no news once the work is over.
      if (!isOver) failed(error);
    }
  };
  const all = Promise.all(Array.from({ length: count }, one));
  return {
    stop: async () => {
      isOver = true;
      await all;
    },
  };
}

/** Lets some time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
