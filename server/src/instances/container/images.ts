// Images of the engine: pulled when it has none of that name. One that is there is used as it is,
// so that a start needs no registry; a name that may mean another image tomorrow is warned of when
// the service is declared.

import type Docker from 'dockerode';
import type { Clock } from '../../kernel/clock.ts';
import { type DockerEngine, withSignal } from './engine.ts';
import { faultOf, isMissing, pullRefusal, type Refusal, registryOf } from './faults.ts';
import { type PullLine, PullProgress } from './pull-progress.ts';

export interface ImageWish {
  readonly image: string;
  /** base64 of `user:password`. */
  readonly dockerAuth: string | undefined;
  /** How far a pull has come. */
  readonly tell: (text: string) => void;
  /** Aborted: this copy does not wait any more. */
  readonly signal: AbortSignal;
}

export type ImageAnswer =
  | { readonly kind: 'here' }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const tellEveryMs = 100;
/** A line of the engine's is some hundred bytes. */
const lineBytesMax = 2 ** 20;

export class Images {
  readonly #engine: DockerEngine;
  readonly #clock: Clock;

  constructor(engine: DockerEngine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Rejects when the engine does not answer. */
  async ensure(wish: ImageWish): Promise<ImageAnswer> {
    const docker = await this.#engine.client();
    if (await this.#isHere(docker, wish.image)) return { kind: 'here' };
    // The engine loads a layer once for all that ask for it at the same time.
    const refusal = await this.#pull(docker, wish);
    if (wish.signal.aborted) return { kind: 'aborted' };
    return refusal === undefined ? { kind: 'here' } : { kind: 'refused', refusal };
  }

  async #isHere(docker: Docker, image: string): Promise<boolean> {
    try {
      await this.#engine.call((abortSignal) =>
        docker.getImage(image).inspect(withSignal({}, abortSignal)),
      );
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #pull(docker: Docker, wish: ImageWish): Promise<Refusal | undefined> {
    const { image, dockerAuth = '', tell, signal } = wish;
    const progress = new PullProgress();
    let toldAt = Number.NEGATIVE_INFINITY;
    tell(`asking ${registryOf(image)}`);
    try {
      const stream = await docker.pull(image, {
        abortSignal: signal,
        ...(dockerAuth === '' ? {} : { authconfig: loginOf(image, dockerAuth) }),
      });
      for await (const line of linesOf(stream)) {
        if (line.error !== undefined) return pullRefusal(image, line.error);
        progress.add(line);
        const { mono } = this.#clock.now();
        if (mono - toldAt < tellEveryMs) continue;
        toldAt = mono;
        const text = progress.text();
        if (text !== '') tell(text);
      }
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      const fault = faultOf(error);
      if (fault.status !== undefined) return pullRefusal(image, fault.text);
      throw error;
    }
  }
}

function loginOf(image: string, dockerAuth: string): Docker.AuthConfig {
  const text = Buffer.from(dockerAuth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const registry = registryOf(image);
  return {
    username: text.slice(0, colon),
    password: text.slice(colon + 1),
    serveraddress: registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry,
  };
}

async function* linesOf(stream: NodeJS.ReadableStream): AsyncIterable<PullLine> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineBytesMax) throw new Error('the Docker Engine answers without end');
    for (const line of lines) if (line.trim() !== '') yield parse(line);
  }
  if (rest.trim() !== '') yield parse(rest);
}

function parse(line: string): PullLine {
  // The engine's own form; whatever is missing in it counts as not said.
  const value = JSON.parse(line) as PullLine | null;
  return value ?? {};
}
