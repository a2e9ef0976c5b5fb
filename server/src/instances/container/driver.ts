// Model servers as containers of a Docker Engine: one for each run of an instance, known by its
// labels, reached through loopback, its output in the instance's log, removed after its end.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { ContainerSource } from '../../deployment/instances.ts';
import type { Clock } from '../../kernel/clock.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { Driver, Launch, LogRequest, Running, Survivor, Usage } from '../driver.ts';
import type { Environment } from '../environment.ts';
import { KeptLogs } from '../kept-logs.ts';
import { neverRan } from '../never-ran.ts';
import { ContainerCopy } from './copy.ts';
import { CopyLog } from './copy-log.ts';
import { createOptions } from './create.ts';
import { DockerEngine } from './engine.ts';
import { type ContainerFacts, factsOf } from './facts.ts';
import { faultOf, isMissing, type Refusal, startRefusal } from './faults.ts';
import { ensureFolderId, readFolderId } from './folder-id.ts';
import { Images } from './images.ts';
import { folderLabel, type LabelFacts, readLabels } from './labels.ts';
import { type ContainerReportDesk, usualNetworkOf } from './network.ts';

export interface ContainerDriverOptions {
  /** The one folder this driver owns: its id, logs, and how far they have come. */
  readonly folder: string;
  /** The server's: it says where the engine is. */
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where models report how their work goes; undefined: nowhere. */
  readonly reports?: ContainerReportDesk;
  /** An instance's log is cut at this size; one older piece of it is kept. */
  readonly logBytesMax?: number;
  /** From the request to end to SIGKILL for what a killed server has left. */
  readonly orphanGraceMs?: number;
}

/** To make and begin a container; a busy disk may need long for that. */
const startMs = 300_000;
const defaultOrphanGraceMs = 10_000;

export class ContainerDriver implements Driver {
  /** The engine's proxy cuts connections a moment before the end of the container is known. */
  readonly cutGraceMs = 1000;
  readonly #options: ContainerDriverOptions;
  readonly #engine: DockerEngine;
  readonly #images: Images;
  readonly #logs: KeptLogs;
  /** By instance. */
  readonly #copies = new Map<string, ContainerCopy>();
  /** Containers that are being made or run now, by name. */
  readonly #names = new Set<string>();
  /** There may be containers of ours that nobody cares for any more. */
  #hasLeftovers = false;

  constructor(options: ContainerDriverOptions) {
    const { folder, environment, clock, logBytesMax } = options;
    this.#options = options;
    this.#engine = new DockerEngine({ environment, clock });
    this.#images = new Images(this.#engine, clock);
    this.#logs = new KeptLogs({ folder, clock, logBytesMax });
  }

  problem(): Promise<string | undefined> {
    return this.#engine.problem();
  }

  async start(launch: Launch): Promise<Running> {
    const { source, instance } = launch;
    invariant(source.kind === 'container', 'the container driver runs containers');
    this.#logs.begin(instance);
    try {
      if (this.#hasLeftovers) await this.#clear();
      const { image, dockerAuth } = source;
      const answer = await this.#images.ensure({
        image,
        dockerAuth,
        tell: (text) => launch.tell({ state: 'Pulling', text }),
        signal: launch.signal,
      });
      if (answer.kind === 'refused') return refused(answer.refusal);
      if (answer.kind === 'aborted' || launch.signal.aborted) return notWanted;
      launch.tell({ state: 'Starting', text: '' });
      return await this.#launch(launch, source);
    } catch (error) {
      const problem = await this.#engine.problem();
      if (problem !== undefined) return neverRan(problem, { isOutside: true });
      return refused(startRefusal(faultOf(error)));
    }
  }

  logs(instance: string, request: LogRequest): AsyncIterable<Uint8Array> | undefined {
    return this.#logs.read(instance, request);
  }

  lastLines(instance: string, count: number): Promise<readonly string[]> {
    return this.#logs.lastLines(instance, count);
  }

  forget(instance: string): Promise<void> {
    return this.#logs.forget(instance);
  }

  async usage(instance: string): Promise<Usage | undefined> {
    return this.#copies
      .get(instance)
      ?.usage()
      .catch(() => undefined);
  }

  async survivors(): Promise<readonly Survivor[]> {
    const { folder, log } = this.#options;
    const id = readFolderId(folder);
    // Nothing has ever been started from here: no need for an engine.
    if (id === undefined) return [];
    try {
      const docker = await this.#engine.client();
      const left = await this.#list(docker, id);
      const found = await Promise.all(left.map((each) => this.#examine(docker, each)));
      const survivors = found.filter((survivor) => survivor !== undefined);
      // Before logs are thrown away: theirs are still written to.
      for (const { instance } of survivors) this.#logs.begin(instance);
      await this.#logs.prune();
      return survivors;
    } catch (error) {
      log.warn({ error }, 'what an earlier server has left in containers is not known yet');
      // None of those that were found before it failed is gone on with.
      this.#names.clear();
      this.#hasLeftovers = true;
      return [];
    }
  }

  async #launch(launch: Launch, source: ContainerSource): Promise<Running> {
    const { folder, random } = this.#options;
    const docker = await this.#engine.client();
    const id = await ensureFolderId(folder, random);
    const name = `${launch.instance}.${random.secret(4)}`;
    this.#names.add(name);
    const reportUrl = await this.#reportBase(docker, launch);
    const options = createOptions({ launch, source, folder: id, name, reportUrl });
    let output: CopyLog | undefined;
    const drop = async (): Promise<void> => {
      await this.#drop(docker, name);
      output?.forget();
    };
    try {
      const container = await this.#engine.within(startMs, (abortSignal) =>
        docker.createContainer({ ...options, abortSignal }),
      );
      output = this.#output(container, launch.instance);
      await this.#engine.within(startMs, (abortSignal) => container.start({ abortSignal }));
      const facts = factsOf(await container.inspect(), source.port);
      if (launch.signal.aborted) {
        await drop();
        return notWanted;
      }
      return this.#copy({ container, facts, output, name, ...launch, port: source.port });
    } catch (error) {
      await drop();
      throw error;
    }
  }

  /** undefined: it can't be had, and the log says why. */
  async #reportBase(
    docker: Docker,
    { service, instance }: Pick<Launch, 'service' | 'instance'>,
  ): Promise<string | undefined> {
    const { reports, log } = this.#options;
    if (reports === undefined) return undefined;
    const network = await usualNetworkOf(this.#engine, docker).catch(() => undefined);
    const base =
      network === undefined
        ? ({ ok: false, why: 'the engine has no network bridge with a gateway' } as const)
        : await reports.baseOf(instance, network);
    if (base.ok) return base.url;
    log.info({ service, instance, why: base.why }, 'container without a report address');
    return undefined;
  }

  #copy(found: FoundCopy): Running {
    const { clock, log } = this.#options;
    const { container, facts, output, instance, service, port, name } = found;
    const copy = new ContainerCopy({
      engine: this.#engine,
      container,
      port,
      facts,
      output,
      clock,
      log: log.child({ service, instance }),
      gone: (isRemoved) => {
        this.#names.delete(name);
        if (this.#copies.get(instance) === copy) this.#copies.delete(instance);
        if (!isRemoved) this.#hasLeftovers = true;
      },
    });
    this.#copies.set(instance, copy);
    return copy.running();
  }

  #output(container: Docker.Container, instance: string): CopyLog {
    const { folder, clock } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const notePath = join(folder, `${instance}.at`);
    return new CopyLog({ container, file: this.#logs.file(instance), notePath, clock });
  }

  #list(docker: Docker, id: string): Promise<Docker.ContainerInfo[]> {
    const filters = { label: [`${folderLabel}=${id}`] };
    return this.#engine.call((abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
  }

  /** One that runs may be gone on with; the last words of others are kept, and they are removed. */
  async #examine(docker: Docker, found: Docker.ContainerInfo): Promise<Survivor | undefined> {
    const container = docker.getContainer(found.Id);
    const labels = readLabels(found.Labels);
    const [name = ''] = found.Names.map((each) => each.replace(/^\//, ''));
    if (labels === undefined) {
      await this.#drop(docker, found.Id);
      return undefined;
    }
    const inspected = await this.#engine.call((abortSignal) => container.inspect({ abortSignal }));
    const facts = factsOf(inspected, labels.port);
    const output = this.#output(container, labels.instance);
    const copy = { container, facts, output, name, ...labels };
    if (facts.isAlive && !facts.isPaused && facts.port !== undefined) return this.#survivor(copy);
    await this.#endLeftover(copy);
    return undefined;
  }

  #survivor(found: FoundCopy & LabelFacts): Survivor {
    const { service, number, instance, key, revision, devices, facts } = found;
    this.#names.add(found.name);
    return {
      service,
      number,
      instance,
      key,
      revision,
      devices,
      startedAt: facts.startedAt,
      adopt: async () => {
        const docker = await this.#engine.client().catch(() => undefined);
        if (docker !== undefined) await this.#reportBase(docker, found);
        return this.#copy(found);
      },
      end: () => this.#endLeftover(found),
    };
  }

  async #endLeftover(found: FoundCopy): Promise<void> {
    const { log, orphanGraceMs = defaultOrphanGraceMs } = this.#options;
    const { service, instance, container } = found;
    log.info({ service, instance, container: container.id }, 'ending a container left behind');
    await this.#copy(found).stop(orphanGraceMs);
  }

  /** Ends whatever is ours and nobody's. Rejects when the engine does not answer. */
  async #clear(): Promise<void> {
    const docker = await this.#engine.client();
    const id = readFolderId(this.#options.folder);
    const left = id === undefined ? [] : await this.#list(docker, id);
    this.#hasLeftovers = false;
    const lost = left.filter(({ Names: names }) => !names.some((each) => this.#isKnown(each)));
    await Promise.all(
      lost.map(async (each) => {
        const survivor = await this.#examine(docker, each);
        await survivor?.end();
      }),
    );
  }

  #isKnown(name: string): boolean {
    return this.#names.has(name.replace(/^\//, ''));
  }

  /** Removes a container that never was to run; what cannot be removed now is later. */
  async #drop(docker: Docker, name: string): Promise<void> {
    try {
      await this.#engine.call((abortSignal) =>
        docker.getContainer(name).remove({ force: true, v: true, abortSignal }),
      );
    } catch (error) {
      if (!isMissing(error)) this.#hasLeftovers = true;
    }
    this.#names.delete(name);
  }
}

interface FoundCopy {
  readonly container: Docker.Container;
  readonly facts: ContainerFacts;
  readonly output: CopyLog;
  /** Of the container. */
  readonly name: string;
  readonly service: string;
  readonly instance: string;
  /** The port inside. */
  readonly port: number;
}

function refused({ text, ...how }: Refusal): Running {
  return neverRan(text, how);
}

const notWanted: Running = neverRan('is not wanted any more');
