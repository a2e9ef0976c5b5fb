// What a change of a declaration does: a new revision, durable before anything follows it; then
// queues and instances as it says. Each call belongs into the turn of its service.

import { type FieldChange, PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Catalog } from './catalog.ts';
import { differences, withoutSecretValues } from './changes.ts';
import type { Definition } from './definition.ts';
import { effectOf, exceptions, rollsOut } from './effects.ts';
import { isProven, withRevision } from './history.ts';
import { type Hosted, mainSecret, servicePath, stoppedText } from './hosted.ts';
import type { Ledger } from './ledger.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ParsedService } from './parse.ts';
import { firstTokens, updatedTokens } from './tokens.ts';

/** Each service has queues, files and timers of its own. */
export const servicesMax = 1000;

export interface ApplyOutcome {
  readonly change: 'created' | 'updated' | 'unchanged';
  readonly name: string;
  readonly revision: number;
  readonly changes: readonly FieldChange[];
  /** Whether instances are replaced for it. */
  readonly rollsOut: boolean;
  readonly warnings: readonly string[];
  /** Below the server's address. */
  readonly path: string;
  /** The main token; empty for an open service, and for one that a dry run did not create. */
  readonly token: string;
}

/** How a revision comes to be. */
export interface Making {
  /** For the history and the events: `applied`, `switched back to revision 3`. */
  readonly text: string;
  /** Only say what it would be. */
  readonly dryRun: boolean;
  /** The launch that the file had before; undefined: a new one where one is needed. */
  readonly launch?: number | undefined;
}

export interface DeclarationParts {
  readonly catalog: Catalog;
  readonly ledger: Ledger;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly record: RecordEvent;
}

export class Declarations {
  readonly #parts: DeclarationParts;

  constructor(parts: DeclarationParts) {
    this.#parts = parts;
  }

  async create(parsed: ParsedService, { dryRun }: Pick<Making, 'dryRun'>): Promise<ApplyOutcome> {
    const { name } = parsed.spec;
    const { catalog, ledger, lifecycle, clock, random, log, record } = this.#parts;
    if (catalog.size >= servicesMax) {
      const text = `there are ${servicesMax} services, the most there can be`;
      throw new PlatformError('conflict', text);
    }
    const at = clock.now().wall;
    const definition: Definition = {
      state: 'live',
      file: parsed.file,
      warnings: parsed.warnings,
      tokens: firstTokens(parsed.spec.token, random),
      revision: 1,
      sourceRevision: 1,
      createdAt: at,
      updatedAt: at,
      history: [{ revision: 1, sourceRevision: 1, at, changed: [], text: 'created' }],
    };
    const made = { change: 'created', changes: differences(undefined, parsed) } as const;
    if (dryRun) return outcomeOf(parsed, { ...made, definition, token: '', rollsOut: false });
    const number = await ledger.nextNumber();
    const fresh = { number, name, definition, parsed, isOpened: false, fault: undefined };
    catalog.put({ ...fresh, phase: 'creating' });
    try {
      await ledger.save(fresh);
      await lifecycle.settle({ ...fresh, phase: 'live' }, parsed);
    } catch (error) {
      await this.#abandon(name, number);
      throw error;
    }
    log.info({ service: name, number }, 'service created');
    record({ service: name, kind: 'service', what: 'created', text: 'Service created' });
    return outcomeOf(parsed, { ...made, definition, rollsOut: false });
  }

  /** After a failed creation; what can't be removed now shows up again at the next start. */
  async #abandon(name: string, number: number): Promise<void> {
    const { catalog, ledger, log } = this.#parts;
    catalog.take(name);
    try {
      await ledger.drop(number);
    } catch (error) {
      log.warn({ service: name, number, error }, 'failed creation not removed');
    }
  }

  /** A new revision, unless the file means what is there. */
  async update(before: Hosted, parsed: ParsedService, making: Making): Promise<ApplyOutcome> {
    const changes = differences(before.parsed, parsed);
    if (before.parsed !== undefined && changes.length === 0) {
      return this.#keep(before, parsed, making);
    }
    const changed = changes.map(({ path }) => path);
    const definition = this.#revised(before, parsed, { changed, making });
    const after: Hosted = { ...before, definition, parsed, fault: undefined };
    const rolls = definition.sourceRevision !== before.definition.sourceRevision;
    const made = { change: 'updated', changes, definition, rollsOut: rolls } as const;
    const outcome = outcomeOf(parsed, { ...made, remarks: remarksOn(before, changed) });
    if (making.dryRun) return outcome;
    const { ledger, lifecycle } = this.#parts;
    await ledger.save(after);
    try {
      await lifecycle.settle(after, parsed);
    } catch (error) {
      await ledger.save(before);
      throw error;
    }
    this.#tellUpdate(after, changed, making);
    return outcome;
  }

  /** The same service. Fields without effect are kept all the same; what did not work before may
   * do so now. */
  async #keep(before: Hosted, parsed: ParsedService, { dryRun }: Making): Promise<ApplyOutcome> {
    const { catalog, ledger, lifecycle } = this.#parts;
    const { file, warnings } = parsed;
    const definition: Definition = { ...before.definition, file, warnings };
    const after: Hosted = { ...before, definition };
    const made = { change: 'unchanged', changes: [], definition, rollsOut: false } as const;
    const outcome = outcomeOf(parsed, { ...made, remarks: remarksOn(before, []) });
    if (dryRun) return outcome;
    if (JSON.stringify(file) !== JSON.stringify(before.definition.file)) {
      await ledger.save(after);
      catalog.put(after);
    }
    const isClosed = !after.isOpened && after.phase !== 'stopped';
    if (isClosed || after.fault !== undefined) await lifecycle.settle(after, parsed);
    return outcome;
  }

  #revised(
    { definition, parsed: known }: Hosted,
    parsed: ParsedService,
    { changed, making }: { readonly changed: readonly string[]; readonly making: Making },
  ): Definition {
    const at = this.#parts.clock.now().wall;
    const revision = definition.revision + 1;
    const isSame = known !== undefined && !rollsOut(changed);
    const sourceRevision = isSame ? definition.sourceRevision : (making.launch ?? revision);
    const wishes = {
      before: known?.spec.token ?? { kind: 'generated' as const },
      after: parsed.spec.token,
    };
    const proven = isProven(definition.history, sourceRevision) ? { proven: true } : {};
    const next = { revision, sourceRevision, at, changed, text: making.text, ...proven };
    return {
      ...definition,
      file: parsed.file,
      warnings: parsed.warnings,
      tokens: updatedTokens(definition.tokens, wishes, this.#parts.random),
      revision,
      sourceRevision,
      updatedAt: at,
      history: withRevision(definition, next),
      scaledTo: keepsCount(parsed, changed) ? definition.scaledTo : undefined,
    };
  }

  #tellUpdate({ name, definition }: Hosted, changed: readonly string[], { text }: Making): void {
    const { log, record } = this.#parts;
    const { revision, sourceRevision } = definition;
    log.info({ service: name, revision, changed }, 'service updated');
    const shown = changed.slice(0, 5).join(', ');
    const more = changed.length > 5 ? ` and ${changed.length - 5} more` : '';
    record({
      service: name,
      kind: 'service',
      what: 'updated',
      text: `Revision ${revision} ${text}: ${shown}${more} changed`,
      facts: { revision, sourceRevision },
    });
  }
}

/** What the autoscaler has decided stays, unless the user says another number. */
function keepsCount({ spec }: ParsedService, changed: readonly string[]): boolean {
  return spec.scaling !== undefined && !changed.includes('metadata.instance');
}

/** What a change does not reach now. */
function remarksOn({ name, phase }: Hosted, changed: readonly string[]): readonly string[] {
  if (phase === 'stopped') return [`${stoppedText(name)}; until then this changes nothing`];
  if (phase === 'stopping') return ['the service is being stopped'];
  const touchesQueues = changed.some((path) => effectOf(path)?.kind === 'queue');
  return touchesQueues ? exceptions(changed) : [];
}

function outcomeOf(
  parsed: ParsedService,
  made: Pick<ApplyOutcome, 'change' | 'changes' | 'rollsOut'> & {
    readonly definition: Definition;
    readonly token?: string;
    readonly remarks?: readonly string[];
  },
): ApplyOutcome {
  const { definition, remarks = [] } = made;
  const { name } = parsed.spec;
  return {
    change: made.change,
    name,
    revision: definition.revision,
    changes: withoutSecretValues(made.changes),
    rollsOut: made.rollsOut,
    warnings: [...parsed.warnings, ...remarks],
    path: servicePath(name),
    token: made.token ?? mainSecret(definition.tokens),
  };
}
