// A container's output, written into the instance's log as long as it lives. Beside the log stands
// how far it has come, so that the next server goes on without a line lost or doubled: what was
// written after that note is taken back and read again.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type Docker from 'dockerode';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { pause } from '../../kernel/pause.ts';
import type { LogFile } from '../log-file.ts';
import { isMissing } from './faults.ts';
import { beginning, OutputReader, type Position, sinceOf } from './output.ts';

export interface CopyLogOptions {
  readonly container: Docker.Container;
  readonly file: LogFile;
  /** Where the note stands. */
  readonly notePath: string;
  readonly clock: Clock;
}

interface Note extends Position {
  readonly format: 1;
  readonly container: string;
  /** Size of the log at that position. */
  readonly bytes: number;
}

const noteEveryMs = 500;
const retryMs = 200;

export class CopyLog {
  readonly #options: CopyLogOptions;
  #position: Position;
  #noteTimer: Timer | undefined;
  #isForgotten = false;

  /** Goes on behind the note when that is about the same container, else from the beginning. */
  constructor(options: CopyLogOptions) {
    this.#options = options;
    const note = readNote(options.notePath);
    const isSame = note?.container === options.container.id;
    this.#position = isSame ? { at: note.at, same: note.same } : beginning;
    if (isSame) options.file.shorten(note.bytes);
    this.#note();
  }

  /** Resolves when everything is written, soon after the container has ended. */
  async follow(ended: Promise<unknown>, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const done = (): void => over.abort();
    ended.then(done, done);
    const either = AbortSignal.any([over.signal, signal]);
    while (!signal.aborted) {
      // Looked at before reading: only what is read after the end is all there is.
      const wasOver = over.signal.aborted;
      const isComplete = await this.#read(signal);
      if (wasOver && isComplete) break;
      await pause(this.#options.clock, retryMs, wasOver ? signal : either);
    }
    this.#note();
  }

  /** Takes the note away: there will be nothing to go on with. */
  forget(): void {
    this.#isForgotten = true;
    this.#noteTimer?.cancel();
    rmSync(this.#options.notePath, { force: true });
  }

  /** Reads what there is until the engine ends it; false: the connection was cut. */
  async #read(signal: AbortSignal): Promise<boolean> {
    const { container } = this.#options;
    const reader = new OutputReader(this.#position);
    const since = sinceOf(this.#position);
    try {
      const stream = await container.logs({
        stdout: true,
        stderr: true,
        follow: true,
        timestamps: true,
        ...(since === undefined ? {} : { since }),
        abortSignal: signal,
      });
      for await (const piece of stream) {
        if (!(piece instanceof Uint8Array)) throw new Error('the output of a container is bytes');
        this.#write(reader.read(piece), reader.position);
      }
      return true;
    } catch (error) {
      return isMissing(error);
    }
  }

  #write(texts: readonly Uint8Array[], position: Position): void {
    if (texts.length === 0) return;
    const { file, clock } = this.#options;
    const wasCut = file.append(Buffer.concat(texts));
    this.#position = position;
    if (wasCut) this.#note();
    else this.#noteTimer ??= clock.after(noteEveryMs, () => this.#note());
  }

  #note(): void {
    this.#noteTimer?.cancel();
    this.#noteTimer = undefined;
    if (this.#isForgotten) return;
    const { container, file, notePath } = this.#options;
    const note: Note = {
      format: 1,
      container: container.id,
      ...this.#position,
      bytes: file.size,
    };
    writeFileSync(notePath, `${JSON.stringify(note)}\n`, { mode: 0o600 });
  }
}

function readNote(path: string): Note | undefined {
  try {
    // Checked right below.
    const note = JSON.parse(readFileSync(path, 'utf8')) as Partial<Note>;
    const { format, container, at, same, bytes } = note;
    const isWhole =
      format === 1 &&
      typeof container === 'string' &&
      typeof at === 'string' &&
      Number.isSafeInteger(same) &&
      Number.isSafeInteger(bytes);
    return isWhole ? (note as Note) : undefined;
  } catch {
    return undefined;
  }
}
