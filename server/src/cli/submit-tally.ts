// How far a run over many files is: a bar on a terminal, and one line for each file otherwise.

import { showDuration } from '../config/duration.ts';
import type { Context } from './context.ts';
import { printable } from './tables.ts';

/** What became of one file. */
export interface FileOutcome {
  readonly input: string;
  /** Empty = it was not accepted. */
  readonly request: string;
  readonly outcome: 'submitted' | 'done' | 'failed' | 'skipped';
  /** The file of the result, or of what is said of the failure; empty = none. */
  readonly file: string;
  readonly text: string;
}

const barWidth = 24;

export class SubmitTally {
  readonly #context: Context;
  readonly #all: number;
  readonly #startedAt: number;
  readonly #counts = { submitted: 0, done: 0, failed: 0, skipped: 0 };
  #running = 0;

  constructor(context: Context, all: number) {
    this.#context = context;
    this.#all = all;
    this.#startedAt = context.clock.now().mono;
  }

  get failed(): number {
    return this.#counts.failed;
  }

  /** A file is taken up. */
  begin(): void {
    this.#running += 1;
    this.#show();
  }

  /** A file has come to its end. */
  async end(outcome: FileOutcome): Promise<void> {
    this.#running -= 1;
    this.#counts[outcome.outcome] += 1;
    const { output } = this.#context;
    if (!this.#hasBar || output.isJson) {
      await output.print(outcome, () => [lineOf(outcome)]);
    } else if (outcome.outcome === 'failed') {
      output.error(printable(`${outcome.input}: ${outcome.text}`));
    }
    this.#show();
  }

  /** `40 files: 38 done, 2 failed, in 3 m 20 s` */
  sum(): string {
    const counts = Object.entries(this.#counts).filter(([, count]) => count > 0);
    const texts = counts.map(([outcome, count]) => `${count} ${words[outcome] ?? outcome}`);
    const told = texts.length === 0 ? 'none done' : texts.join(', ');
    return `${this.#all} files: ${told}, in ${this.#tookText()}`;
  }

  get #hasBar(): boolean {
    return this.#context.terminal.stderr.isTTY === true;
  }

  #show(): void {
    if (!this.#hasBar) return;
    const { submitted, done, failed, skipped } = this.#counts;
    const ended = submitted + done + failed + skipped;
    const filled = Math.floor((ended / this.#all) * barWidth);
    const bar = `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}]`;
    const told = failed === 0 ? '' : `, ${failed} failed`;
    const text = `${bar} ${ended}/${this.#all}, ${this.#running} under way${told}`;
    this.#context.output.progress(text, `, ${this.#tookText()}`);
  }

  #tookText(): string {
    return showDuration(this.#context.clock.now().mono - this.#startedAt);
  }
}

const words: Readonly<Record<string, string>> = { skipped: 'done before' };

/** `page 1.png  12-3f0c11aa  done  page 1.png.txt`; tabs between, for `cut` and `awk`. */
function lineOf({ input, request, outcome, file, text }: FileOutcome): string {
  const last = outcome === 'failed' ? [text, file].filter((each) => each !== '').join(' ') : file;
  return [input, request || '-', outcome, last].map(printable).join('\t').trimEnd();
}
