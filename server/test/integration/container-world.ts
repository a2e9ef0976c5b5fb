// The container driver on an engine of the test's own: copies of busybox, and what they say.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerSource, Resources } from '../../src/deployment/instances.ts';
import { ContainerDriver } from '../../src/instances/container/driver.ts';
import type { Ending, Launch, Running, Stage } from '../../src/instances/driver.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { ContainerReports } from '../../src/worker/container-reports.ts';
import { type TestEngine, wait } from '../docker/engine.ts';
import { busyboxImage } from '../docker/images.ts';

export const webServer = 'httpd -f -p $PORT -h /www';

export interface Wish extends Partial<Omit<Launch, 'source' | 'resources' | 'tell' | 'signal'>> {
  readonly source?: Partial<ContainerSource>;
  readonly resources?: Partial<Resources>;
  readonly stages?: Stage[];
  readonly signal?: AbortSignal;
}

export function launchOf({ source, resources, stages, signal, ...facts }: Wish = {}): Launch {
  return {
    service: 'reader',
    number: 7,
    instance: 'reader-aaaaa',
    key: '7.3',
    revision: 4,
    url: undefined,
    devices: [],
    ...facts,
    source: {
      kind: 'container',
      image: busyboxImage,
      run: { form: 'command', text: webServer },
      port: 8000,
      env: {},
      workDir: undefined,
      mounts: [],
      shmBytes: 0,
      dockerAuth: undefined,
      ...source,
    },
    resources: { cpuMillis: 0, memoryBytes: 0, gpus: 0, ...resources },
    tell: (stage) => stages?.push(stage),
    signal: signal ?? new AbortController().signal,
  };
}

/** Script of a copy that needs no port. */
export function script(text: string): Wish {
  return { source: { run: { form: 'script', text } } };
}

export class ContainerWorld {
  readonly folder: string;
  readonly driver: ContainerDriver;
  readonly #running: Running[] = [];

  constructor(
    folder: string,
    host: string,
    { logBytesMax, reports }: { logBytesMax?: number; reports?: ContainerReports } = {},
  ) {
    this.folder = folder;
    this.driver = new ContainerDriver({
      folder,
      environment: { DOCKER_HOST: host },
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      orphanGraceMs: 500,
      ...(logBytesMax === undefined ? {} : { logBytesMax }),
      ...(reports === undefined ? {} : { reports }),
    });
  }

  static async open(engine: TestEngine, logBytesMax?: number): Promise<ContainerWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-container-'));
    const limits = logBytesMax === undefined ? {} : { logBytesMax };
    return new ContainerWorld(join(folder, 'containers'), engine.host, limits);
  }

  async start(wish: Wish = {}): Promise<Running> {
    const running = await this.driver.start(launchOf(wish));
    this.#running.push(running);
    return running;
  }

  /** Starts a copy whose web server answers. */
  async serve(wish: Wish = {}): Promise<Running> {
    const running = await this.start(wish);
    await page(running, '');
    return running;
  }

  /** How a copy that ends by itself has ended, with nothing left of it. */
  async outcome(wish: Wish): Promise<Ending> {
    const running = await this.start(wish);
    const ending = await running.ended;
    await running.stop(0);
    return ending;
  }

  text(instance = 'reader-aaaaa'): Promise<string> {
    const request = { tail: undefined, follow: false, signal: undefined };
    return readAll(this.driver.logs(instance, request));
  }

  /** Resolves when the log fits. */
  async written(fits: (text: string) => boolean, instance?: string): Promise<string> {
    for (;;) {
      const text = await this.text(instance);
      if (fits(text)) return text;
      await wait(20);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((running) => running.stop(0)));
    await rm(join(this.folder, '..'), { recursive: true, force: true });
  }
}

export async function readAll(log: AsyncIterable<Uint8Array> | undefined): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of log ?? []) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** What a page of a copy's web server says, as soon as that listens. */
export async function page({ url }: Running, name: string): Promise<string> {
  for (;;) {
    const answer = await fetch(new URL(name, url)).catch(() => undefined);
    if (answer !== undefined) return answer.text();
    await wait(10);
  }
}
