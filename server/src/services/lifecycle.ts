// From a definition to open queues and a wanted state for instances, and back to nothing: the steps
// that a start, a change and a deletion share. Each may be repeated after a crash or a failure.

import { PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Catalog } from './catalog.ts';
import { lostDefinition } from './definition.ts';
import { deployed, type Hosted } from './hosted.ts';
import type { Ledger, LoadedEntry } from './ledger.ts';
import { checkService, type ParsedService } from './parse.ts';
import type { QueueHost, ServiceRuntime } from './ports.ts';
import { firstTokens } from './tokens.ts';

export interface LifecycleParts {
  readonly catalog: Catalog;
  readonly ledger: Ledger;
  readonly queues: QueueHost;
  readonly runtime: ServiceRuntime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Lifecycle {
  readonly #parts: LifecycleParts;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
  }

  /** Opens what the ledger holds. Answers the services whose deletion or stop was under way. */
  async recover(): Promise<readonly Hosted[]> {
    const { catalog, ledger } = this.#parts;
    const entries = [...(await ledger.load())].sort((a, b) => b.number - a.number);
    for (const entry of entries) {
      // The lower of two is what is left of a creation that failed and could not be undone.
      if (catalog.get(entry.name) === undefined) catalog.put(this.#remembered(entry));
      else await ledger.drop(entry.number);
    }
    const known = catalog.all();
    for (const hosted of known) if (hosted.phase !== 'deleting') await this.#revive(hosted);
    return catalog.all().filter(({ phase }) => phase === 'deleting' || phase === 'stopping');
  }

  /** As `finishDeletion`, but a failure is only shown and logged. */
  async resumeDeletion(hosted: Hosted): Promise<void> {
    try {
      await this.finishDeletion(hosted);
    } catch (error) {
      this.#parts.log.error({ service: hosted.name, error }, 'service not deleted');
    }
  }

  #remembered({ number, name, definition }: LoadedEntry): Hosted {
    if (definition === undefined) return this.#lost(number, name);
    // The rules may be stricter than when the file was accepted: then the service stays visible.
    const outcome = checkService(definition.file, { strict: false, openAllowed: true });
    const isDeleting = definition.state === 'deleting';
    return {
      number,
      name,
      phase: definition.state,
      definition,
      parsed: outcome.ok ? outcome.service : undefined,
      isOpened: false,
      fault: outcome.ok || isDeleting ? undefined : noLonger(outcome.problems),
    };
  }

  /** Its queues stay as they are on disk, and nobody reaches them till it is declared anew. */
  #lost(number: number, name: string): Hosted {
    const { clock, random } = this.#parts;
    return {
      number,
      name,
      phase: 'live',
      definition: lostDefinition(
        name,
        firstTokens({ kind: 'generated' }, random),
        clock.now().wall,
      ),
      parsed: undefined,
      isOpened: false,
      fault: 'its stored definition is damaged: apply its file again, or delete it',
    };
  }

  /** One service that can't be opened must not keep the others from serving. */
  async #revive(hosted: Hosted): Promise<void> {
    if (hosted.parsed === undefined) {
      this.#parts.log.error({ service: hosted.name }, 'service definition refused');
      return;
    }
    try {
      await this.settle(hosted, hosted.parsed);
    } catch (error) {
      const advice = 'stop Sluice and run sluice verify';
      const fault = `its queues did not open: ${reasonOf(error)} (${advice})`;
      this.#parts.catalog.put({ ...hosted, fault });
      this.#parts.log.error({ service: hosted.name, error }, 'service not opened');
    }
  }

  /** Queues and instances as declared; those of a stopped service stay closed. */
  async settle(hosted: Hosted, parsed: ParsedService): Promise<void> {
    if (hosted.phase !== 'stopped') {
      await this.deploy(await this.#openQueues(hosted, parsed), parsed);
      return;
    }
    const closed: Hosted = { ...hosted, parsed, isOpened: false, fault: undefined };
    this.#parts.catalog.put(closed);
    await this.deploy(closed, parsed);
  }

  /** Queues opened, or changed to the settings of `parsed`. */
  async #openQueues(hosted: Hosted, parsed: ParsedService): Promise<Hosted> {
    const { queues } = this.#parts;
    const { number, name } = hosted;
    const settings = parsed.spec.queues;
    if (hosted.isOpened) await queues.change(name, settings);
    else await queues.open({ number, name, settings });
    const opened: Hosted = { ...hosted, parsed, isOpened: true, fault: undefined };
    this.#parts.catalog.put(opened);
    return opened;
  }

  /** Queues work without instances: what fails here is shown, and tried again with each apply. */
  async deploy(hosted: Hosted, parsed: ParsedService): Promise<void> {
    try {
      await this.#parts.runtime.apply(deployed(hosted, parsed));
    } catch (error) {
      this.#parts.catalog.put({
        ...hosted,
        fault: `its instances can't be run: ${reasonOf(error)}`,
      });
      this.#parts.log.error({ service: hosted.name, error }, 'instances not deployed');
    }
  }

  /** Takes away instances, queues and definition, in this order; may be repeated. */
  async finishDeletion(hosted: Hosted): Promise<void> {
    const { name, number, isOpened } = hosted;
    try {
      await this.#parts.runtime.remove(name);
      if (isOpened) {
        await this.#dropQueues(name);
        this.#parts.catalog.put({ ...hosted, isOpened: false });
      }
      await this.#parts.ledger.drop(number);
    } catch (error) {
      const now = this.#parts.catalog.get(name) ?? hosted;
      this.#parts.catalog.put({ ...now, fault: `deletion failed, repeat it: ${reasonOf(error)}` });
      throw error;
    }
    this.#parts.catalog.take(name);
    this.#parts.log.info({ service: name, number }, 'service deleted');
  }

  async #dropQueues(name: string): Promise<void> {
    try {
      await this.#parts.queues.drop(name);
    } catch (error) {
      // A deletion that failed before may have closed them already; their rows go by number.
      if (!(error instanceof PlatformError && error.code === 'not_found')) throw error;
    }
  }
}

function noLonger(
  problems: readonly { readonly path: string; readonly message: string }[],
): string {
  const lines = problems.map(({ path, message }) => `${path}: ${message}`);
  return `its file is no longer accepted: ${lines.join('; ')}`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
