// Processors: model servers that ship with Sluice, one process each. Their models are fetched and
// held while they run; the rest is left to the driver of processes. A process that says that its
// model cannot be used has ended for good: it is not started over and over.

import type { ModelFile, ProcessorSource, ProcessSource } from '../deployment/instances.ts';
import { allowList } from '../kernel/address-filter.ts';
import { invariant } from '../kernel/invariant.ts';
import type { Driver, Ending, Launch, LogRequest, Running, Survivor, Usage } from './driver.ts';
import type { HeldModel, ModelStore } from './model-store.ts';
import { neverRan } from './never-ran.ts';

export interface ProcessorDriverOptions {
  /** Runs the processes, in a folder that no other driver uses. */
  readonly processes: Driver;
  readonly models: ModelStore;
  /** How this very program is run: what stands before `processor KIND MODEL`. */
  readonly program: readonly string[];
}

/** EX_CONFIG: what `sluice processor` ends with when its model cannot be used. */
const unusable = 78;
/** What its last word begins with then. */
const lastWord = 'sluice processor: ';
/** A stack may stand between that word and the end of the log, not much more. */
const linesLooked = 20;

interface Held {
  readonly model: HeldModel | undefined;
  readonly code: HeldModel | undefined;
}

export class ProcessorDriver implements Driver {
  readonly cutGraceMs: number;
  readonly #options: ProcessorDriverOptions;

  constructor(options: ProcessorDriverOptions) {
    this.#options = options;
    this.cutGraceMs = options.processes.cutGraceMs;
  }

  async start(launch: Launch): Promise<Running> {
    const source = sourceOf(launch);
    let held: Held;
    try {
      held = await this.#hold(source, {
        signal: launch.signal,
        progress: (text) => launch.tell({ state: 'Pulling', text }),
      });
    } catch (error) {
      if (launch.signal.aborted) return neverRan('is not wanted any more');
      return neverRan(textOf(error), isFinal(error) ? { isFinal: true } : { isOutside: true });
    }
    if (launch.signal.aborted) {
      release(held);
      return neverRan('is not wanted any more');
    }
    launch.tell({ state: 'Starting', text: '' });
    const uses = [held.model, held.code].flatMap((each) => each?.path ?? []);
    const process = { ...launch, source: this.#process(source, held), uses };
    const running = await this.#options.processes.start(process);
    return this.#running(launch.instance, running, () => release(held));
  }

  logs(instance: string, request: LogRequest): AsyncIterable<Uint8Array> | undefined {
    return this.#options.processes.logs(instance, request);
  }

  lastLines(instance: string, count: number): Promise<readonly string[]> {
    return this.#options.processes.lastLines(instance, count);
  }

  forget(instance: string): Promise<void> {
    return this.#options.processes.forget(instance);
  }

  problem(): Promise<string | undefined> {
    return this.#options.processes.problem();
  }

  async usage(instance: string): Promise<Usage | undefined> {
    return this.#options.processes.usage?.(instance);
  }

  /** What they were started with is held from here on: whatever is started beside them and needs
   * room, and whatever lies at the address by now, it is not cleared away under them. */
  async survivors(): Promise<readonly Survivor[]> {
    const found = await this.#options.processes.survivors();
    return found.map((survivor) => {
      const held = (survivor.uses ?? []).map((path) => this.#options.models.holdAgain(path));
      const ended = (): void => {
        for (const each of held) each?.release();
      };
      return {
        ...survivor,
        adopt: (launch) => this.#adopt(survivor, launch, ended),
        end: () => survivor.end().finally(ended),
      };
    });
  }

  async #adopt(survivor: Survivor, launch: Launch, ended: () => void): Promise<Running> {
    const none: Held = { model: undefined, code: undefined };
    try {
      const source = this.#process(sourceOf(launch), none);
      return this.#running(launch.instance, await survivor.adopt({ ...launch, source }), ended);
    } catch (error) {
      ended();
      throw error;
    }
  }

  async #hold(
    { model, code, allow }: ProcessorSource,
    options: Parameters<ModelStore['hold']>[1],
  ): Promise<Held> {
    const { models } = this.#options;
    const hold = async (file: ModelFile | undefined): Promise<HeldModel | undefined> => {
      if (file === undefined) return undefined;
      const { address, checksum } = file;
      const rules = { allow: allowList(allow, 'model.allow'), buckets: bucketsOf(address) };
      return models.hold({ address, checksum, rules }, options);
    };
    const heldModel = await hold(model);
    try {
      return { model: heldModel, code: await hold(code) };
    } catch (error) {
      heldModel?.release();
      throw error;
    }
  }

  #process(source: ProcessorSource, held: Held): ProcessSource {
    const { processor, entry, config, batching, window } = source;
    const words = [...this.#options.program, 'processor', processor, held.model?.path ?? ''];
    if (held.code !== undefined) words.push('--code', held.code.path);
    if (entry !== undefined) words.push('--entry', entry);
    words.push('--window', String(window));
    if (batching !== undefined) {
      words.push('--batch-size', String(batching.sizeMax));
      words.push('--batch-delay', String(batching.delayMs));
    }
    // A command line can be seen by every user of the machine, an environment cannot.
    const env = config === undefined ? {} : { SLUICE_MODEL_CONFIG: JSON.stringify(config) };
    const text = words.map(quoted).join(' ');
    return { kind: 'process', form: 'command', text, port: 0, env, workDir: undefined };
  }

  #running(instance: string, running: Running, ended: () => void): Running {
    return {
      ...running,
      ended: running.ended.then((ending) => {
        ended();
        return this.#judged(instance, ending);
      }),
    };
  }

  async #judged(instance: string, ending: Ending): Promise<Ending> {
    if (ending.code !== unusable) return ending;
    const lines = await this.lastLines(instance, linesLooked).catch(() => []);
    const line = lines.findLast((each) => each.startsWith(lastWord));
    const problem = line?.slice(lastWord.length) ?? 'its model cannot be used; its log says why';
    return { ...ending, problem, isFinal: true };
  }
}

function sourceOf({ source }: Launch): ProcessorSource {
  invariant(source.kind === 'processor', 'the processor driver runs processors');
  return source;
}

function release({ model, code }: Held): void {
  model?.release();
  code?.release();
}

/** Whoever declares a service names the bucket of its model by that: it needs no leave besides. */
function bucketsOf(address: string): readonly string[] {
  const bucket = /^(?:s3|oss):\/\/([^/]+)\//i.exec(address)?.[1];
  return bucket === undefined ? [] : [bucket];
}

/** One word of shell that means exactly `word`: `it's` is `'it'\''s'`. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function isFinal(error: unknown): boolean {
  return error instanceof Error && 'isFinal' in error && error.isFinal === true;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
