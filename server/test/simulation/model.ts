// A model server as an instance's worker meets it: it answers, refuses, takes its time, is cut,
// restarts, and goes on for a while with work that nobody waits for any more. It never has more
// requests than its window (rule 2, seen from where it matters).

import type {
  CallOptions,
  ModelClient,
  ModelRequest,
  ModelResult,
} from '../../src/worker/model.ts';
import { resultPayload } from './ledger.ts';
import type { Play } from './play.ts';
import { Violation } from './trace.ts';

/** How long it may go on with a request that was abandoned. */
export const lingerMsMax = 400;

const nothing = new Uint8Array(0);

export class SimModel implements ModelClient {
  /** The worker's window as it is now. */
  window: number;
  readonly #play: Play;
  readonly #name: string;
  readonly #poisoned: () => void;
  readonly #cuts = new Set<() => void>();
  #atWork = 0;
  #calls = 0;
  #isUp = true;
  #isDead = false;

  /** `poisoned` is called when a request ends the process of the model. */
  constructor(play: Play, name: string, window: number, poisoned: () => void) {
    this.#play = play;
    this.#name = name;
    this.window = window;
    this.#poisoned = poisoned;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  call(request: ModelRequest, { signal }: CallOptions): Promise<ModelResult> {
    const { stage } = this.#play;
    if (!this.#isUp) {
      return Promise.resolve({ kind: 'refused', reason: 'no connection', retried: false });
    }
    if (signal.aborted) return Promise.resolve({ kind: 'aborted', sent: false });
    this.#calls += 1;
    this.#atWork += 1;
    if (this.#atWork > this.window) {
      const text = `the model of ${this.#name} has ${this.#atWork} of ${this.window}`;
      stage.failure ??= new Violation(`rule 2: ${text}`);
    }
    return this.#work(request, signal);
  }

  #work(request: ModelRequest, signal: AbortSignal): Promise<ModelResult> {
    const { stage, random } = this.#play;
    // Another instance may have had the name before.
    const mark = `${this.#name}-${this.#calls}-${stage.now}`;
    return new Promise((resolve) => {
      let isOver = false;
      const over = (result: ModelResult, isFree: boolean): void => {
        if (isOver) return;
        isOver = true;
        this.#cuts.delete(cut);
        signal.removeEventListener('abort', abort);
        if (isFree) this.#atWork -= 1;
        resolve(result);
      };
      const cut = (): void => over({ kind: 'cut', reason: 'the connection was cut' }, true);
      const abort = (): void => {
        // Nobody tells it: it finishes what it began.
        stage.clock.after(random.fraction() * lingerMsMax, () => {
          if (!this.#isDead) this.#atWork -= 1;
        });
        over({ kind: 'aborted', sent: true }, false);
      };
      this.#cuts.add(cut);
      signal.addEventListener('abort', abort);
      // Bodies in files are no part of this world.
      const body = request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
      const entry = this.#play.oracle.ledger.byPayload(body);
      const isPoison = entry?.isPoison === true;
      const isSlow = !stage.isCalm && random.chance(0.15);
      stage.clock.after(random.fraction() * (isSlow ? 2_000 : 60), () => {
        if (isPoison && !isOver) this.#poisoned();
        else if (!stage.isCalm && random.chance(0.03)) cut();
        else over(this.#answer(body, mark), true);
      });
    });
  }

  #answer(body: Uint8Array, mark: string): ModelResult {
    const { stage, random, oracle } = this.#play;
    const drawn = stage.isCalm ? 0 : random.fraction();
    const entry = oracle.ledger.byPayload(body);
    const payload = entry === undefined ? nothing : resultPayload(entry, mark);
    if (drawn < 0.75) return answer(200, payload);
    if (drawn < 0.8) return answer(200, nothing);
    if (drawn < 0.85) return answer(500, payload);
    if (drawn < 0.93) return answer(504, nothing);
    return answer(drawn < 0.97 ? 503 : 429, nothing, random.chance(0.5) ? '0' : undefined);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The process of the model ends, with everything it was doing. */
  stop(): void {
    this.#isUp = false;
    this.#atWork = 0;
    for (const cut of [...this.#cuts]) cut();
    this.#atWork = 0;
  }

  /** It is gone for good. */
  die(): void {
    this.#isDead = true;
    this.stop();
  }

  start(): void {
    this.#isUp = !this.#isDead;
  }
}

function answer(status: number, body: Uint8Array, retryAfter?: string): ModelResult {
  return {
    kind: 'answer',
    status,
    statusText: '',
    contentType: undefined,
    retryAfter,
    body,
    size: body.length,
    sizeKnown: true,
    firstOutputAt: 0,
  };
}
