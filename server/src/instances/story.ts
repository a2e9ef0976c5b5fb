// What an instance lives through, told to those who keep events: each change that its owner cares
// for once, and of a long row of crashes only some, so that it does not push out everything else.

import type { RecordEvent } from '../kernel/events.ts';
import type { Ending } from './driver.ts';
import { drainText, wroteText } from './reasons.ts';
import type { InstanceState, LastRun } from './status.ts';

export interface StoryOptions {
  readonly service: string;
  readonly instance: string;
  readonly record: RecordEvent;
}

export interface Beginning {
  readonly pid: number | undefined;
  readonly url: URL;
  readonly isTakenOver: boolean;
  /** Wall clock. */
  readonly startedAt: number;
}

/** The first crashes of a row are told one by one, then every so many. */
const crashesTold = 5;
const crashesBetween = 20;

export class Story {
  readonly #options: StoryOptions;
  #crashes = 0;
  #wasReady = false;
  #hasPulled = false;

  constructor(options: StoryOptions) {
    this.#options = options;
  }

  begun({ pid, url, isTakenOver, startedAt }: Beginning): void {
    this.#wasReady = false;
    if (!this.#isTold()) return;
    const where = pid === undefined ? url.origin : `process ${pid} at ${url.origin}`;
    const facts = pid === undefined ? {} : { pid };
    const since = new Date(startedAt).toISOString();
    if (isTakenOver) {
      const text = `Taken over from an earlier server: ${where}, since ${since}`;
      this.#tell('taken-over', text, facts);
    } else this.#tell('started', `Started: ${where}`, facts);
  }

  entered(state: InstanceState, reason: string): void {
    switch (state) {
      case 'Pulling':
        if (!this.#hasPulled) this.#tell('pulling', `Fetches its image: ${reason}`);
        this.#hasPulled = true;
        return;
      case 'Running':
        if (!this.#wasReady && this.#isTold()) this.#tell('ready', 'Ready for work');
        this.#wasReady = true;
        return;
      case 'Unhealthy':
        this.#wasReady = false;
        if (this.#isTold()) this.#tell('unhealthy', `Gets no work: ${reason}`);
        return;
      // Told with more to say, or of no concern.
      case 'Pending':
      case 'Starting':
      case 'Busy':
      case 'Draining':
      case 'CrashLoop':
      case 'Terminated':
        return;
    }
  }

  /** The way it is run cannot be used now. */
  blocked(problem: string): void {
    this.#tell('pending', `Waits to be started: ${problem}`);
  }

  crashed(last: LastRun, times: number, { code, signal, problem }: Ending): void {
    this.#crashes = times;
    if (!this.#isTold()) return;
    const row = times > 1 ? ` (${times} times in a row)` : '';
    if (problem !== undefined) {
      this.#tell('pending', `Cannot be started: ${problem}${row}`, { times });
      return;
    }
    this.#tell('crash', `The instance ${last.reason}${row}${wroteText(last)}`, {
      times,
      ...(code === undefined ? {} : { code }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  draining(requests: number, isForced: boolean): void {
    const text = isForced ? `Gives ${requests} back and ends` : `Leaves: ${drainText(requests)}`;
    this.#tell('draining', text, { requests });
  }

  overdue(requests: number, drainTimeoutMs: number): void {
    const text = `Gives ${requests} back after draining for ${drainTimeoutMs / 1000} s`;
    this.#tell('drain-timeout', text, { requests });
  }

  gone(): void {
    this.#tell('gone', 'Nothing of it is left');
  }

  #isTold(): boolean {
    return this.#crashes <= crashesTold || this.#crashes % crashesBetween === 0;
  }

  #tell(what: string, text: string, facts: Readonly<Record<string, string | number>> = {}): void {
    const { service, instance, record } = this.#options;
    record({ service, kind: 'instance', what, text, instance, facts });
  }
}
