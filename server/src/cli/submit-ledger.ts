// What is known of files that were submitted before: a file of JSON lines in the folder of the
// results, one line for each result or failure. A line is written after the file that it speaks of.

import { access, appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from './context.ts';
import { fileProblem } from './file-problem.ts';

export interface LedgerLine {
  /** The idempotency key that a file had at its first attempt. */
  readonly key: string;
  /** Which attempt it was, from 1. */
  readonly attempt: number;
  readonly name: string;
  readonly request: string;
  readonly outcome: 'done' | 'failed';
  /** Below the folder of the results. */
  readonly file: string;
}

const ledgerName = '.sluice-submit.jsonl';

export class SubmitLedger {
  readonly #file: string;
  readonly #folder: string;
  readonly #done = new Map<string, LedgerLine>();
  readonly #failures = new Map<string, number>();

  private constructor(folder: string) {
    this.#folder = folder;
    this.#file = join(folder, ledgerName);
  }

  /** Makes the folder when it is not there. */
  static async open(folder: string): Promise<SubmitLedger> {
    const ledger = new SubmitLedger(folder);
    try {
      await mkdir(folder, { recursive: true });
      const text = await readFile(ledger.#file, 'utf8').catch(noFile);
      for (const line of text.split('\n')) ledger.#learn(line);
    } catch (error) {
      throw new CommandError(fileProblem(folder, error));
    }
    return ledger;
  }

  /** What came of it, when its result is still there. */
  async done(key: string): Promise<LedgerLine | undefined> {
    const line = this.#done.get(key);
    if (line === undefined) return undefined;
    const isThere = await access(join(this.#folder, line.file)).then(
      () => true,
      () => false,
    );
    return isThere ? line : undefined;
  }

  /** The latest attempt that failed; 0 = none did. */
  failedAttempt(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  async add(line: LedgerLine): Promise<void> {
    this.#take(line);
    await appendFile(this.#file, `${JSON.stringify(line)}\n`);
  }

  #learn(text: string): void {
    try {
      // Only `add` writes these lines; one that was cut by a kill is no JSON and says nothing.
      if (text !== '') this.#take(JSON.parse(text) as LedgerLine);
    } catch {
      // What it spoke of is asked for again.
    }
  }

  #take(line: LedgerLine): void {
    if (line.outcome === 'done') this.#done.set(line.key, line);
    else this.#failures.set(line.key, Math.max(line.attempt, this.failedAttempt(line.key)));
  }
}

function noFile(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
  throw error;
}
