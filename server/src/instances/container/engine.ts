// The connection to the Docker Engine of this machine: found when it is needed, loaded when it is
// needed first, and never waited for longer than a call may take.

import { Agent } from 'node:http';
import type Docker from 'dockerode';
import type { Clock } from '../../kernel/clock.ts';
import type { Environment } from '../environment.ts';
import { type EngineAddress, engineAddress } from './address.ts';
import { faultOf, silenceText } from './faults.ts';

export interface EngineOptions {
  /** The server's: `DOCKER_HOST` and the folders where sockets usually are. */
  readonly environment: Environment;
  readonly clock: Clock;
}

/** To be told whether it is there. */
const pingMs = 3000;
/** For whatever asks or changes something small. */
const callMs = 30_000;

/** The engine is not to be reached now, for whatever reason; the message is a whole sentence. */
export class EngineAway extends Error {
  override readonly name = 'EngineAway';
}

export class DockerEngine {
  readonly #options: EngineOptions;
  #client: { readonly name: string; readonly docker: Docker } | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Rejects with `EngineAway` when there can be none; whether it answers is another question. */
  async client(): Promise<Docker> {
    const address = engineAddress(this.#options.environment);
    const { target, name } = address;
    if (target.kind === 'unusable') throw new EngineAway(silence(address, target.why));
    if (this.#client?.name === name) return this.#client.docker;
    // Loading it takes a tenth of a second, which most servers never need to spend.
    const { default: Client } = await import('dockerode');
    // Idle connections would be cut by a restart of the engine in the middle of the next call.
    const common = { protocol: 'http', agent: new Agent({ keepAlive: false }) } as const;
    const docker =
      target.kind === 'socket'
        ? // An empty host keeps the client from reading the environment of this process.
          new Client({ ...common, socketPath: target.path, host: '' })
        : new Client({ ...common, host: target.host, port: target.port });
    this.#client = { name, docker };
    return docker;
  }

  /** Why no engine can be used now, a whole sentence; undefined: one answers. */
  async problem(): Promise<string | undefined> {
    const address = engineAddress(this.#options.environment);
    try {
      const docker = await this.client();
      // A ping is answered by an engine that is not able to do anything else.
      await this.within(pingMs, (abortSignal) => docker.listContainers({ limit: 1, abortSignal }));
      return undefined;
    } catch (error) {
      if (error instanceof EngineAway) return error.message;
      const fault = faultOf(error);
      if (fault.status === undefined) return silence(address, silenceText(fault));
      return `the Docker Engine at ${address.name} is not well: ${fault.text}`;
    }
  }

  /** One call with a deadline. */
  call<Answer>(make: (abortSignal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    return this.within(callMs, make);
  }

  async within<Answer>(
    limitMs: number,
    make: (abortSignal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    const late = new AbortController();
    // The client overlooks an answer that is cut in the middle, and then never answers itself.
    const tooLate = new Promise<never>((_, reject) => {
      late.signal.addEventListener('abort', () => reject(late.signal.reason));
    });
    const timer = this.#options.clock.after(limitMs, () => late.abort());
    try {
      return await Promise.race([make(late.signal), tooLate]);
    } finally {
      timer.cancel();
    }
  }
}

/** For calls that take a signal though their declared types do not know it. */
export function withSignal<Options extends object>(
  options: Options,
  abortSignal: AbortSignal,
): Options {
  return Object.assign(options, { abortSignal });
}

function silence({ name }: EngineAddress, why: string): string {
  return `no Docker Engine answers at ${name}: ${why}`;
}
