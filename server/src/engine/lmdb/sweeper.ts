// Removal of all rows of a dropped service in bounded steps. It is decided by one durable row
// first, so a crash between two steps only means that the next start goes on.

import type { AppendOutcome } from '../engine.ts';
import type { Changes } from './changes.ts';
import type { JobLine } from './jobs.ts';
import { after, indexMax, kinds, ownService, type RowKey } from './keys.ts';
import type { Rows } from './rows.ts';

export interface SweeperOptions {
  readonly rows: Rows;
  readonly line: JobLine;
  /** Removes a payload file. */
  readonly removeFile: (file: number) => void;
}

const stepRows = 1000;
/** Kinds from here on are not rows of a service. */
const ownKindsFrom: number = kinds.definition;

export class Sweeper {
  readonly #options: SweeperOptions;
  #stopped = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Begins no further step. */
  stop(): void {
    this.#stopped = true;
  }

  /** Removes all rows and payload files of a service whose removal is already decided. */
  async drop(service: number, files: readonly ReadonlyMap<number, number>[]): Promise<void> {
    for (let kind = 0; kind < ownKindsFrom; kind++) {
      let start: RowKey | undefined = { service, kind, index: 0, sub: 0 };
      while (start !== undefined) {
        if (this.#stopped) return;
        const step: readonly RowKey[] = this.#options.rows.keys(start, indexMax, stepRows);
        if (!(await this.#remove(step))) return;
        const last = step.at(-1);
        start = last && after(last);
      }
    }
    await this.#run((changes) => {
      for (const slot of files) {
        for (const file of slot.values()) {
          changes.remove(ownService, kinds.file, file, 0);
          changes.afterwards(() => this.#options.removeFile(file));
        }
      }
      changes.remove(ownService, kinds.dropped, service, 0);
    });
  }

  /** One transaction; false when it has to wait for another start. */
  async #remove(keys: readonly RowKey[]): Promise<boolean> {
    if (keys.length === 0) return true;
    const outcome = await this.#run((changes) => {
      for (const { service, kind, index, sub } of keys) changes.remove(service, kind, index, sub);
    });
    return outcome.kind === 'durable';
  }

  #run(encode: (changes: Changes) => void): Promise<AppendOutcome> {
    return new Promise((settle) => {
      this.#options.line.add({ service: undefined, state: 'ready', encode, settle });
    });
  }
}
