// What the instances of one driver write: a log each in the driver's folder, kept for a while after
// the instance is gone, for whoever wants to know why.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { invariant } from '../kernel/invariant.ts';
import type { LogRequest } from './driver.ts';
import { LogFile } from './log-file.ts';

export interface KeptLogsOptions {
  readonly folder: string;
  readonly clock: Clock;
  /** An instance's log is cut at this size; one older piece of it is kept. */
  readonly logBytesMax: number | undefined;
}

const defaultLogBytesMax = 8 * 2 ** 20;
/** Logs of instances that are gone. */
const keptLogsMax = 20;
const ending = '.log';

export class KeptLogs {
  readonly #options: KeptLogsOptions;
  readonly #inUse = new Set<string>();

  constructor(options: KeptLogsOptions) {
    this.#options = options;
  }

  /** The instance may write from now on. */
  begin(instance: string): void {
    this.#inUse.add(instance);
  }

  /** It will write no more, nor come back; its log stays as long as it is among the latest. */
  async forget(instance: string): Promise<void> {
    this.#inUse.delete(instance);
    await this.prune();
  }

  /** Whether the instance is not to write any more. */
  isOver(instance: string): boolean {
    return !this.#inUse.has(instance);
  }

  /** undefined: nothing is kept of it. */
  read(instance: string, request: LogRequest): AsyncIterable<Uint8Array> | undefined {
    const log = this.file(instance);
    const isOver = (): boolean => this.isOver(instance);
    return log.exists() || !isOver() ? log.read(request, isOver) : undefined;
  }

  lastLines(instance: string, count: number): Promise<readonly string[]> {
    return this.file(instance).lastLines(count);
  }

  file(instance: string): LogFile {
    const { folder, clock, logBytesMax = defaultLogBytesMax } = this.#options;
    // Names are ours, but this is a path: better twice than sorry.
    invariant(/^[\w][\w.-]*$/.test(instance), 'an instance has a plain name');
    const path = join(folder, `${instance}${ending}`);
    return new LogFile({ path, bytesMax: logBytesMax, clock });
  }

  /** Removes the logs of all but the latest instances that are gone. */
  async prune(): Promise<void> {
    const { folder } = this.#options;
    const old: { instance: string; at: number }[] = [];
    for (const name of await readdir(folder).catch(() => [])) {
      const instance = name.endsWith(ending) ? name.slice(0, -ending.length) : undefined;
      if (instance === undefined || this.#inUse.has(instance)) continue;
      const facts = await stat(join(folder, name)).catch(() => undefined);
      if (facts !== undefined) old.push({ instance, at: facts.mtimeMs });
    }
    old.sort((one, other) => other.at - one.at);
    for (const { instance } of old.slice(keptLogsMax)) await this.file(instance).remove();
  }
}
