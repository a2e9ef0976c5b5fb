// Removal of all rows of a dropped service in bounded steps. It is decided by one durable row
// first, so a crash between two steps only means that the next start goes on.

import type { AppendOutcome } from '../engine.ts';
import type { Changes } from './changes.ts';
import type { JobLine } from './jobs.ts';
import { kinds, ownService, parseKey, type RowKey } from './keys.ts';
import type { Table } from './table.ts';

export interface SweeperOptions {
  readonly table: Table;
  readonly line: JobLine;
  /** Removes a payload file. */
  readonly removeFile: (file: number) => void;
}

const stepRows = 1000;

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
    for (;;) {
      const removed = await this.#step(service);
      if (removed === undefined) return;
      if (removed === 0) break;
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

  // One transaction; answers how many rows it removed, undefined when that has to wait.
  async #step(service: number): Promise<number | undefined> {
    if (this.#stopped) return undefined;
    const start: RowKey = { service, kind: 0, index: 0, sub: 0 };
    const end: RowKey = { service, kind: 255, index: 0, sub: 0 };
    let count = 0;
    const outcome = await this.#run((changes) => {
      for (const bytes of this.#options.table.keys(start, end, stepRows)) {
        const { kind, index, sub } = parseKey(bytes);
        changes.remove(service, kind, index, sub);
        count++;
      }
    });
    return outcome.kind === 'durable' ? count : undefined;
  }

  #run(encode: (changes: Changes) => void): Promise<AppendOutcome> {
    return new Promise((settle) => {
      this.#options.line.add({ service: undefined, state: 'ready', encode, settle });
    });
  }
}
