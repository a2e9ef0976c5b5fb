// The logs of a whole service as one: lines with the instance that wrote them. Followed, it goes on
// through restarts of an instance and takes up those that are started later. Whoever reads slowly
// is waited for: nothing is gathered beyond a few lines.

import { type LogLine, PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../../kernel/clock.ts';
import type { LogRequest } from './administration.ts';
import { Channel } from './channel.ts';

export interface ServiceLogOptions {
  /** The instances that there are now; throws `not_found` when the service is gone. */
  readonly instances: () => readonly { readonly name: string; readonly kind: string }[];
  /** Rejects with `not_found` when there is no log of it, or none yet. */
  readonly open: (instance: string, request: LogRequest) => Promise<AsyncIterable<Uint8Array>>;
  readonly clock: Clock;
}

/** Servers that others have started, and instances on other machines. */
const elsewhere: readonly string[] = ['endpoint', 'joined'];
const lookEveryMs = 500;
const linesWaitingMax = 256;
/** A longer line comes in pieces. */
const lineCharactersMax = 64 * 1024;

/**
 * Opens the logs of all instances; with `tail` each begins with so many lines, but one that is
 * started later with its first. Without `follow` one instance comes after the other. Rejects with
 * `not_found` when there can't be a log: the instances were started elsewhere.
 */
export async function openServiceLogs(
  options: ServiceLogOptions,
  request: LogRequest,
): Promise<AsyncIterable<LogLine>> {
  if (request.follow) return followed(options, request);
  const logs: { instance: string; pieces: AsyncIterable<Uint8Array> }[] = [];
  let refusal: unknown;
  for (const { name } of options.instances()) {
    try {
      logs.push({ instance: name, pieces: await options.open(name, request) });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      refusal ??= error;
    }
  }
  if (logs.length === 0 && refusal !== undefined) throw refusal;
  return oneByOne(logs);
}

/** The same of one instance, which may be gone already; followed, it ends with the instance. */
export async function openInstanceLog(
  options: Pick<ServiceLogOptions, 'open'>,
  instance: string,
  request: LogRequest,
): Promise<AsyncIterable<LogLine>> {
  return oneByOne([{ instance, pieces: await options.open(instance, request) }]);
}

async function* oneByOne(
  logs: readonly { readonly instance: string; readonly pieces: AsyncIterable<Uint8Array> }[],
): AsyncGenerator<LogLine> {
  for (const { instance, pieces } of logs) {
    for await (const line of linesOf(pieces)) yield { instance, line };
  }
}

async function followed(
  options: ServiceLogOptions,
  request: LogRequest,
): Promise<AsyncIterable<LogLine>> {
  const { instances, open } = options;
  const first = instances();
  const [one] = first;
  // Of these there never will be a log; `open` says why.
  if (one !== undefined && first.every(({ kind }) => elsewhere.includes(kind))) {
    await open(one.name, request);
  }
  return new FollowedLogs(options, request).lines();
}

class FollowedLogs {
  readonly #options: ServiceLogOptions;
  readonly #request: LogRequest;
  readonly #channel = new Channel<LogLine>(linesWaitingMax);
  /** Those whose log is being read, or has ended while they are still listed. */
  readonly #known = new Map<string, 'open' | 'over'>();
  /** Listed at the first look: only these begin with their last lines. */
  #early: ReadonlySet<string> | undefined;
  readonly #end = new AbortController();

  constructor(options: ServiceLogOptions, request: LogRequest) {
    this.#options = options;
    this.#request = request;
  }

  async *lines(): AsyncGenerator<LogLine> {
    const stop = (): void => this.#end.abort();
    const { signal } = this.#request;
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    this.#end.signal.addEventListener('abort', () => this.#channel.close(), { once: true });
    const looking = this.#look();
    try {
      yield* this.#channel;
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
      await looking;
    }
  }

  /** Resolves when nothing is followed any more: at the end, or when the service is gone. */
  async #look(): Promise<void> {
    const open = new Set<Promise<void>>();
    try {
      while (!this.#end.signal.aborted) {
        const names = this.#options.instances().map(({ name }) => name);
        this.#early ??= new Set(names);
        for (const name of names) {
          if (this.#known.has(name)) continue;
          this.#known.set(name, 'open');
          const following = this.#follow(name).finally(() => open.delete(following));
          open.add(following);
        }
        for (const [name, state] of this.#known) {
          if (state === 'over' && !names.includes(name)) this.#known.delete(name);
        }
        await this.#pause();
      }
    } catch (error) {
      // The service is gone: what its instances still write is told.
      if (!isNotFound(error)) this.#channel.fail(error);
    }
    await Promise.all(open);
    this.#channel.close();
  }

  async #follow(instance: string): Promise<void> {
    const { signal } = this.#end;
    const tail = this.#early?.has(instance) === true ? this.#request.tail : undefined;
    try {
      const pieces = await this.#options.open(instance, { tail, follow: true, signal });
      for await (const line of linesOf(pieces)) {
        await this.#channel.put({ instance, line });
        if (signal.aborted) return;
      }
      this.#known.set(instance, 'over');
    } catch (error) {
      // There is none yet, when it waits for something: the next look tries again.
      if (isNotFound(error)) this.#known.delete(instance);
      else this.#channel.fail(error);
    }
  }

  #pause(): Promise<void> {
    const { signal } = this.#end;
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#options.clock.after(lookEveryMs, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** Whole lines of what was written, whatever bytes it is. */
async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
    while (rest.length > lineCharactersMax) {
      yield rest.slice(0, lineCharactersMax);
      rest = rest.slice(lineCharactersMax);
    }
  }
  if (rest !== '') yield rest;
}

function isNotFound(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'not_found';
}
