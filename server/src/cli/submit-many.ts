// Many files as requests, a bounded number at the same time: each is submitted, waited for if that
// is wanted, and its result written. What has a result already is left aside, so that a run that
// was broken off goes on where it was.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  PlatformError,
  type RequestClient,
  RequestError,
  type RequestResult,
  type SubmitOptions,
} from '@sluice/sdk';
import { CommandError, type Context } from './context.ts';
import { shownPayload } from './message.ts';
import { endText } from './requests.ts';
import { writeResult } from './result-file.ts';
import { endingOf, fileBody, keyOfFile, type SubmitInput } from './submit-inputs.ts';
import { SubmitLedger } from './submit-ledger.ts';
import { type FileOutcome, SubmitTally } from './submit-tally.ts';

export interface ManyOptions {
  readonly wishes: SubmitOptions;
  readonly contentType: string | undefined;
  /** The folder of the results. */
  readonly out: string | undefined;
  /** Whether results are waited for. */
  readonly waits: boolean;
  readonly timeoutMs: number | undefined;
  readonly concurrency: number;
  readonly run: string;
  /** Submit anew what has failed before. */
  readonly again: boolean;
}

/** Codes that go for every other file as well: nothing is gained by trying them. */
const hopeless: ReadonlySet<string> = new Set([
  'unauthorized',
  'forbidden',
  'not_found',
  'misdirected',
]);

const readsMax = 3;

/** Resolves when every file has come to an end; throws when one of them failed. */
export async function submitMany(
  context: Context,
  requests: RequestClient,
  inputs: readonly SubmitInput[],
  options: ManyOptions,
): Promise<void> {
  const { interrupted, output } = context;
  const ledger = options.out === undefined ? undefined : await SubmitLedger.open(options.out);
  const tally = new SubmitTally(context, inputs.length);
  const over = new AbortController();
  const stop = (): void => over.abort(interrupted.reason);
  interrupted.addEventListener('abort', stop, { once: true });
  if (interrupted.aborted) stop();
  const one = new FileSubmission(requests, options, ledger, over.signal);
  const rest = inputs[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (const input of rest) {
      if (over.signal.aborted) return;
      tally.begin();
      await tally.end(await one.submit(input));
    }
  };
  try {
    const hands = Math.min(options.concurrency, inputs.length);
    await Promise.all(
      Array.from({ length: hands }, () =>
        work().catch((error: unknown) => {
          over.abort(error);
          throw error;
        }),
      ),
    );
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    interrupted.removeEventListener('abort', stop);
    output.endProgress();
  }
  output.note(tally.sum());
  if (interrupted.aborted) {
    output.note('The requests go on; the same command goes on from here');
    throw new CommandError('interrupted');
  }
  if (tally.failed > 0) throw new CommandError(failedText(tally.failed, inputs.length, options));
}

function failedText(failed: number, all: number, { out }: ManyOptions): string {
  const where = out === undefined ? '' : `; ${join(out, '*.error.json')} say why, --again repeats`;
  return `${failed} of ${all} failed${where}`;
}

/** One file after the other from reading to result. */
class FileSubmission {
  readonly #requests: RequestClient;
  readonly #options: ManyOptions;
  readonly #ledger: SubmitLedger | undefined;
  readonly #signal: AbortSignal;

  constructor(
    requests: RequestClient,
    options: ManyOptions,
    ledger: SubmitLedger | undefined,
    signal: AbortSignal,
  ) {
    this.#requests = requests;
    this.#options = options;
    this.#ledger = ledger;
    this.#signal = signal;
  }

  /** Rejects only with what ends everything. */
  async submit(input: SubmitInput): Promise<FileOutcome> {
    const { run, wishes, again } = this.#options;
    const { body, type } = await fileBody(input.file);
    const contentType = this.#options.contentType ?? type;
    const terms = { run, path: wishes.path, contentType };
    const key = await keyOfFile(input, { ...terms, attempt: 1 });
    const known = await this.#ledger?.done(key);
    if (known !== undefined) {
      const { request, file } = known;
      return { input: input.name, request, outcome: 'skipped', file, text: 'done before' };
    }
    const failed = this.#ledger?.failedAttempt(key) ?? 0;
    const attempt = again ? failed + 1 : Math.max(1, failed);
    const idempotencyKey = attempt === 1 ? key : await keyOfFile(input, { ...terms, attempt });
    let request = '';
    try {
      const signal = this.#signal;
      const how = { ...wishes, contentType, idempotencyKey, signal };
      const { id, state } = await this.#requests.submit(body, how);
      request = id;
      if (!this.#options.waits) {
        return { input: input.name, request, outcome: 'submitted', file: '', text: state };
      }
      return await this.#finish(input, { key, attempt }, id);
    } catch (error) {
      return this.#failed(input, { key, attempt }, request, error);
    }
  }

  async #finish(input: SubmitInput, tried: Tried, id: string): Promise<FileOutcome> {
    const { name } = input;
    const { out } = this.#options;
    for (let read = 1; ; read += 1) {
      const result = await this.#result(id);
      if (!result.ok) {
        const said = { modelStatus: result.modelStatus, ...shownPayload(await result.bytes()) };
        const text = `the model answered with ${result.modelStatus}`;
        return this.#fail(input, tried, { request: id, text, said });
      }
      if (out === undefined) {
        await result.discard();
        return { input: name, request: id, outcome: 'done', file: '', text: 'succeeded' };
      }
      const file = `${name}${endingOf(result.contentType)}`;
      try {
        await mkdir(dirname(join(out, file)), { recursive: true });
        await writeResult(result, join(out, file));
      } catch (error) {
        // It is there; only the way to here was cut.
        const isCut = error instanceof PlatformError && error.retry;
        if (isCut && read < readsMax && !this.#signal.aborted) continue;
        throw error;
      }
      await rm(join(out, errorFile(name)), { force: true });
      await this.#ledger?.add({ ...tried, name, request: id, outcome: 'done', file });
      return { input: name, request: id, outcome: 'done', file, text: 'succeeded' };
    }
  }

  async #result(id: string): Promise<RequestResult> {
    const { timeoutMs: waitMs = Infinity } = this.#options;
    const result = await this.#requests.result(id, { waitMs, signal: this.#signal });
    if (result !== undefined) return result;
    throw new CommandError(`request ${id} was not done in time; it goes on`);
  }

  async #failed(
    input: SubmitInput,
    tried: Tried,
    request: string,
    error: unknown,
  ): Promise<FileOutcome> {
    if (this.#signal.aborted) throw error;
    if (error instanceof CommandError) {
      // It is not known to have failed: a later run asks for it again.
      return { input: input.name, request, outcome: 'failed', file: '', text: error.message };
    }
    if (!(error instanceof PlatformError)) throw error;
    if (request === '') {
      if (hopeless.has(error.code)) throw error;
      const { message: text } = error;
      return { input: input.name, request, outcome: 'failed', file: '', text };
    }
    const info = error instanceof RequestError ? error.request : undefined;
    const text = info === undefined ? error.message : `${info.state} ${endText(info)}`.trim();
    return this.#fail(input, tried, { request, text, said: { message: error.message, info } });
  }

  async #fail(
    { name }: SubmitInput,
    tried: Tried,
    { request, text, said }: Failure,
  ): Promise<FileOutcome> {
    const { out } = this.#options;
    if (out === undefined) return { input: name, request, outcome: 'failed', file: '', text };
    const file = errorFile(name);
    await mkdir(dirname(join(out, file)), { recursive: true });
    const value = { input: name, request, text, ...said };
    await writeFile(join(out, file), `${JSON.stringify(value, undefined, 2)}\n`);
    await this.#ledger?.add({ ...tried, name, request, outcome: 'failed', file });
    return { input: name, request, outcome: 'failed', file, text };
  }
}

/** The key of a file's first attempt, and which one this is. */
interface Tried {
  readonly key: string;
  readonly attempt: number;
}

interface Failure {
  readonly request: string;
  readonly text: string;
  readonly said: object;
}

function errorFile(name: string): string {
  return `${name}.error.json`;
}
