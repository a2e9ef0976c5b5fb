// Back to an earlier revision: because a user says so, or because the instances of a new launch
// never became ready. The earlier launch keeps its number, so that what still runs of it stays.

import { PlatformError } from '@sluice/sdk/wire';
import type { DeployedService } from '../deployment/service.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Catalog } from './catalog.ts';
import type { ApplyOutcome, Declarations } from './declarations.ts';
import { isObject } from './fields-tree.ts';
import {
  fileOf,
  isProven,
  lastProven,
  type Revision,
  rolledBackText,
  withNote,
} from './history.ts';
import { deployed, type Hosted } from './hosted.ts';
import type { Ledger } from './ledger.ts';
import { checkService, type ParsedService, type ParseOptions, parseService } from './parse.ts';
import { type Tree, unfold } from './unfold.ts';

export interface SwitchParts {
  readonly catalog: Catalog;
  readonly ledger: Ledger;
  readonly declarations: Declarations;
  readonly log: Log;
  readonly record: RecordEvent;
}

export class Switching {
  readonly #parts: SwitchParts;

  constructor(parts: SwitchParts) {
    this.#parts = parts;
  }

  /** The whole file of a revision as the newest one, except for the token. */
  async switchBack(
    hosted: Hosted,
    revision: number,
    { dryRun }: { readonly dryRun: boolean },
  ): Promise<ApplyOutcome> {
    const { definition, name } = hosted;
    const entry = definition.history.find((each) => each.revision === revision);
    if (entry === undefined) {
      const text = `service ${name} has no revision ${revision}; sluice version ${name} lists them`;
      throw new PlatformError('not_found', text);
    }
    const file = fileOf(definition, revision);
    if (file === undefined) {
      const text = `the file of revision ${revision} of ${name} is no longer kept; apply it`;
      throw new PlatformError('conflict', text);
    }
    const launch = entry.failed === undefined ? entry.sourceRevision : undefined;
    const text = `switched back to revision ${revision}`;
    const kept = withFieldsOf(unfold(definition.file), unfold(file), ['token']);
    return this.#parts.declarations.update(hosted, parseService(kept, lenient), {
      text,
      dryRun,
      launch,
    });
  }

  /**
   * Gives up a launch that did not become ready, and goes back to the latest one that did. What
   * does not concern instances stays as it is. Nothing but a note when there is none to go back to.
   */
  async rollBack(hosted: Hosted, sourceRevision: number, reason: string): Promise<void> {
    const { definition, phase } = hosted;
    if (phase !== 'live' || definition.sourceRevision !== sourceRevision) return;
    // What worked before does not fail because, after a restart, the machine has a bad day.
    if (isProven(definition.history, sourceRevision)) return;
    const noted = await this.#note(hosted, sourceRevision, { failed: reason });
    const target = lastProven(noted.definition, sourceRevision);
    const file = target === undefined ? undefined : fileOf(noted.definition, target.revision);
    if (target === undefined || file === undefined) return;
    const { declarations, log, record } = this.#parts;
    const text = rolledBackText(target.revision, reason);
    const parsed = this.#earlierInstances(noted, file);
    const launch = target.sourceRevision;
    const { revision } = await declarations.update(noted, parsed, { text, dryRun: false, launch });
    const service = hosted.name;
    log.warn({ service, revision, target: target.revision, reason }, 'service rolled back');
    record({
      service,
      kind: 'rollout',
      what: 'rolled-back',
      text: `Revision ${noted.definition.revision} was ${text}`,
      facts: { revision, sourceRevision: launch },
    });
  }

  /** An instance of a launch was ready. It may have been late: where it was given up and there was
   * none to go back to, it has not failed after all. */
  async proven(hosted: Hosted, sourceRevision: number): Promise<void> {
    const { history, sourceRevision: wanted } = hosted.definition;
    const isWanted = sourceRevision === wanted;
    const isNews = history.some(
      (entry) =>
        entry.sourceRevision === sourceRevision &&
        (entry.proven !== true || (isWanted && entry.failed !== undefined)),
    );
    if (!isNews) return;
    const note = isWanted ? { proven: true, failed: undefined } : { proven: true };
    await this.#note(hosted, sourceRevision, note);
  }

  /** Notes durably what became of a launch. */
  async #note(
    hosted: Hosted,
    sourceRevision: number,
    note: Pick<Revision, 'failed' | 'proven'>,
  ): Promise<Hosted> {
    const { definition } = hosted;
    const history = withNote(definition.history, sourceRevision, note);
    const noted: Hosted = { ...hosted, definition: { ...definition, history } };
    await this.#parts.ledger.save(noted);
    this.#parts.catalog.put(noted);
    return noted;
  }

  /** The earlier file with what of the present one does not concern single instances. */
  #earlierInstances({ definition }: Hosted, file: Tree): ParsedService {
    const present = unfold(definition.file);
    const earlier = unfold(file);
    const shared = ['token', 'labels', 'autoscaler', 'queue'];
    const metadata = withFieldsOf(present.metadata, earlier.metadata, ['instance']);
    const mixed = { ...withFieldsOf(present, earlier, shared), metadata };
    const outcome = checkService(mixed, lenient);
    if (outcome.ok) return outcome.service;
    // The two don't fit together; the earlier file once passed as a whole.
    return parseService(withFieldsOf(present, earlier, ['token']), lenient);
  }
}

/** The service with the latest file of an earlier launch, as far as that is kept. */
export function launched(hosted: Hosted, sourceRevision: number): DeployedService | undefined {
  const { definition } = hosted;
  const entry = definition.history.findLast((each) => each.sourceRevision === sourceRevision);
  const file = entry && fileOf(definition, entry.revision);
  if (entry === undefined || file === undefined) return undefined;
  const outcome = checkService(file, lenient);
  if (!outcome.ok) return undefined;
  const { revision } = entry;
  const then = { ...hosted, definition: { ...definition, revision, sourceRevision } };
  return deployed(then, outcome.service);
}

/** The token stays as it is, so nothing is opened that was not open. */
const lenient: ParseOptions = { strict: false, openAllowed: true };

/** `earlier` with some fields as `present` has them, absent ones too. */
function withFieldsOf(present: unknown, earlier: unknown, fields: readonly string[]): Tree {
  const result = new Map(Object.entries(isObject(earlier) ? earlier : {}));
  for (const field of fields) {
    if (isObject(present) && Object.hasOwn(present, field)) result.set(field, present[field]);
    else result.delete(field);
  }
  return Object.fromEntries(result);
}
