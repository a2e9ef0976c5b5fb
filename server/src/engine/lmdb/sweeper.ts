// Removal of many rows in bounded steps: trimmed records and dropped services. Both are decided by
// one durable row first, so a crash between two steps only means that the next start goes on.

import type { AppendOutcome } from '../engine.ts';
import type { Changes } from './changes.ts';
import type { JobLine } from './jobs.ts';
import { kinds, ownService, parseKey, type RowKey } from './keys.ts';
import type { LmdbService } from './service.ts';
import { resultSlot } from './stored.ts';
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
  readonly #trimming = new Map<LmdbService, Promise<void>>();
  #stopped = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Removes what is trimmed of a service, in the background. */
  trim(service: LmdbService): void {
    if (this.#trimming.has(service) || service.trimmedUpTo >= service.trimmedBelow) return;
    const trimmed = this.#trim(service).finally(() => this.#trimming.delete(service));
    this.#trimming.set(service, trimmed);
  }

  /** Begins nothing more; resolves when what was begun is written. The next start goes on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#trimming.values());
  }

  /** Removes all rows of a service whose removal is already decided. */
  async drop(service: LmdbService): Promise<void> {
    const { number, files } = service;
    const start: RowKey = { service: number, kind: 0, index: 0, sub: 0 };
    const end: RowKey = { service: number, kind: 255, index: 0, sub: 0 };
    for (;;) {
      const removed = await this.#step(undefined, start, end);
      if (removed === undefined) return;
      if (removed === 0) break;
    }
    await this.#run(undefined, (changes) => {
      for (const slot of files) for (const file of slot.values()) this.#removeFile(changes, file);
      changes.remove(ownService, kinds.dropped, number, 0);
    });
  }

  async #trim(service: LmdbService): Promise<void> {
    for (const kind of [kinds.record, kinds.result]) {
      const start: RowKey = { service: service.number, kind, index: 0, sub: 0 };
      for (;;) {
        const below = service.trimmedBelow;
        const end: RowKey = { service: service.number, kind, index: below, sub: 0 };
        const removed = await this.#step(service, start, end);
        if (removed === undefined) return;
        if (removed > 0) continue;
        service.trimmedUpTo = below;
        break;
      }
    }
  }

  // One transaction; answers how many rows it removed, undefined when that has to wait.
  async #step(
    service: LmdbService | undefined,
    start: RowKey,
    end: RowKey,
  ): Promise<number | undefined> {
    if (this.#stopped) return undefined;
    let count = 0;
    const outcome = await this.#run(service, (changes) => {
      for (const bytes of this.#options.table.keys(start, end, stepRows)) {
        const { service: number, kind, index, sub } = parseKey(bytes);
        changes.remove(number, kind, index, sub);
        count++;
        if (kind !== kinds.result) continue;
        const file = service?.files[resultSlot]?.get(index);
        if (file === undefined) continue;
        service?.files[resultSlot]?.delete(index);
        this.#removeFile(changes, file);
      }
    });
    return outcome.kind === 'durable' ? count : undefined;
  }

  #removeFile(changes: Changes, file: number): void {
    changes.remove(ownService, kinds.file, file, 0);
    changes.afterwards(() => this.#options.removeFile(file));
  }

  #run(
    service: LmdbService | undefined,
    encode: (changes: Changes) => void,
  ): Promise<AppendOutcome> {
    return new Promise((settle) => {
      this.#options.line.add({ service, state: 'ready', encode, settle });
    });
  }
}
