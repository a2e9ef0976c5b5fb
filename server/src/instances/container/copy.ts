// One container that runs: its end is waited for at the engine, its output written down, and it is
// ended and removed when it is to leave. A lost connection to the engine ends nothing: only what
// the engine says of the container itself counts.

import type Docker from 'dockerode';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { pause } from '../../kernel/pause.ts';
import type { Ending, PortAddress, Running, Usage } from '../driver.ts';
import { instanceHost } from '../port.ts';
import type { CopyLog } from './copy-log.ts';
import { type DockerEngine, withSignal } from './engine.ts';
import { execIn } from './exec.ts';
import { type ContainerFacts, factsOf, removed } from './facts.ts';
import { faultOf, isMissing } from './faults.ts';
import { UsageMeter } from './usage.ts';
import { notRunning } from './wait.ts';

export interface CopyOptions {
  readonly engine: DockerEngine;
  readonly container: Docker.Container;
  /** The port inside. */
  readonly port: number;
  readonly facts: ContainerFacts;
  readonly output: CopyLog;
  readonly clock: Clock;
  readonly log: Log;
  /** Told at the end: whether nothing of it is left. */
  readonly gone: (isRemoved: boolean) => void;
}

const retryMs = 250;
/** How long its last words are waited for. */
const outputMs = 3000;
/** Once it was to be killed, an engine that does not answer is waited for so long. */
const awayMs = 10_000;
/** The engine may learn that memory ran out a moment after it has learned of the end. */
const memoryRetryMs = 50;
const memoryRetries = 10;

export class ContainerCopy {
  readonly #options: CopyOptions;
  readonly #meter: UsageMeter;
  /** Aborted: nobody waits for anything of it any more. */
  readonly #over = new AbortController();
  /** Aborted: it is to end now. */
  readonly #hurry = new AbortController();
  readonly #ended: Promise<Ending>;
  readonly #written: Promise<void>;
  #hasEnded = false;
  #stopBy = Number.POSITIVE_INFINITY;
  #isSooner = new AbortController();
  #gone: Promise<void> | undefined;

  constructor(options: CopyOptions) {
    this.#options = options;
    this.#meter = new UsageMeter(options.facts.startedAt);
    this.#ended = this.#watch().finally(() => {
      this.#hasEnded = true;
    });
    this.#written = options.output.follow(this.#ended, this.#over.signal);
  }

  running(): Running {
    const { facts, container } = this.#options;
    return {
      // One that has ended already has no port any more.
      url: new URL(`http://${instanceHost}${facts.port === undefined ? '' : `:${facts.port}`}`),
      pid: facts.pid,
      port: facts.port,
      hasBegun: true,
      ended: this.#ended,
      stop: (graceMs) => this.#stop(graceMs),
      kill: () => this.#hurry.abort(),
      exec: execIn(container),
      portAt: (inside) => this.#portAt(inside),
    };
  }

  /** The main port is published, others are at the container's own address. */
  #portAt(inside: number | undefined): PortAddress {
    const { facts, port: main } = this.#options;
    const { address, port: published = 0 } = facts;
    if (inside === undefined || inside === main || address === undefined) {
      return { host: instanceHost, port: published, inside: inside ?? main, isProxied: true };
    }
    return { host: address, port: inside, inside, isProxied: false };
  }

  async usage(): Promise<Usage | undefined> {
    const { engine, container } = this.#options;
    const stats = await engine.call((abortSignal) =>
      container.stats(withSignal({ stream: false, 'one-shot': true } as const, abortSignal)),
    );
    return this.#meter.read(stats);
  }

  async #watch(): Promise<Ending> {
    const { clock, engine, container } = this.#options;
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        await notRunning(await engine.client(), container, signal);
      } catch {
        // What it means is asked for right now.
      }
      const ending = await this.#ending();
      if (ending !== undefined) return ending;
      await pause(clock, retryMs, signal);
    }
    return removed;
  }

  /** undefined: it runs, or the engine does not say. */
  async #ending(): Promise<Ending | undefined> {
    const { clock } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      const facts = await this.#look();
      if (facts === undefined || facts === 'gone') return facts === 'gone' ? removed : undefined;
      if (facts.isAlive) return undefined;
      const { ending, memoryBytes } = facts;
      // A program inside may have been ended for it, and another one tell of that by its own code.
      const mayBeMemory = ending.code !== 0 && memoryBytes > 0 && !this.#hurry.signal.aborted;
      if (ending.outOfMemory === true && memoryBytes > 0) {
        return { ...ending, memoryLimitBytes: memoryBytes };
      }
      if (!mayBeMemory || attempt >= memoryRetries) return ending;
      await pause(clock, memoryRetryMs, undefined);
    }
  }

  async #look(): Promise<ContainerFacts | 'gone' | undefined> {
    const { engine, container, port } = this.#options;
    try {
      return factsOf(await engine.call((abortSignal) => container.inspect({ abortSignal })), port);
    } catch (error) {
      return isMissing(error) ? 'gone' : undefined;
    }
  }

  /** May be called again with a shorter time. */
  #stop(graceMs: number): Promise<void> {
    const { clock } = this.#options;
    const stopBy = clock.now().mono + graceMs;
    if (stopBy < this.#stopBy) {
      this.#stopBy = stopBy;
      this.#isSooner.abort();
      this.#isSooner = new AbortController();
    }
    this.#gone ??= this.#end().then((isRemoved) => {
      this.#over.abort();
      this.#options.gone(isRemoved);
    });
    return this.#gone;
  }

  /** True: nothing of it is left. */
  async #end(): Promise<boolean> {
    const { clock } = this.#options;
    await this.#askToEnd();
    this.#hurry.abort();
    if (!(await this.#makeEnd())) return false;
    await Promise.race([this.#written, pause(clock, outputMs, undefined)]);
    return this.#remove();
  }

  /** Resolves when it has ended, or has had its time. An engine that is away is asked again. */
  async #askToEnd(): Promise<void> {
    const { clock, container, facts } = this.#options;
    const hurry = this.#hurry.signal;
    let isAsked = false;
    while (!this.#hasEnded && !hurry.aborted) {
      if (!isAsked) {
        const signal = facts.stopSignal;
        isAsked = (await this.#say((more) => container.kill({ ...more, signal }))) === undefined;
      }
      const restMs = this.#stopBy - clock.now().mono;
      if (restMs <= 0) return;
      const signals = [hurry, this.#isSooner.signal];
      const waitMs = isAsked ? restMs : Math.min(restMs, retryMs);
      await this.#endedWithin(waitMs, AbortSignal.any(signals));
    }
  }

  /** SIGKILL until it has ended; false: the engine has been away for too long. */
  async #makeEnd(): Promise<boolean> {
    const { clock, container, log } = this.#options;
    const giveUpAt = clock.now().mono + awayMs;
    while (!this.#hasEnded) {
      await this.#say((options) => container.kill(options));
      await this.#endedWithin(retryMs, undefined);
      if (this.#hasEnded || clock.now().mono < giveUpAt) continue;
      log.error({ container: container.id }, 'a container cannot be ended; it may still run');
      this.#over.abort();
      await this.#ended;
      return false;
    }
    return true;
  }

  async #remove(): Promise<boolean> {
    const { container, output, log } = this.#options;
    const failed = await this.#say((options) =>
      container.remove({ ...options, force: true, v: true }),
    );
    if (failed !== undefined) log.warn({ container: container.id, failed }, 'a container stays');
    else output.forget();
    return failed === undefined;
  }

  /** One word to the engine; what went wrong, unless there is no such container any more. */
  async #say(word: (options: object) => Promise<unknown>): Promise<string | undefined> {
    try {
      await this.#options.engine.call((abortSignal) => word({ abortSignal }));
      return undefined;
    } catch (error) {
      return isMissing(error) ? undefined : faultOf(error).text;
    }
  }

  async #endedWithin(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    const over = new AbortController();
    const done = (): void => over.abort();
    this.#ended.then(done, done);
    const signals = signal === undefined ? [over.signal] : [over.signal, signal];
    await pause(this.#options.clock, delayMs, AbortSignal.any(signals));
  }
}
