// What services there are: declarations become durable definitions, open queues and a wanted state
// for their instances, and come back after a restart. Operations on one service run one after the
// other. The definition is always saved first: whatever a crash leaves undone, the next start does.

import { type FieldChange, PlatformError, type Scope } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { Catalog } from './catalog.ts';
import { differences, withoutSecretValues } from './changes.ts';
import { type Definition, withRevision } from './definition.ts';
import {
  type DirectoryEntry,
  type Hosted,
  mainSecret,
  type ServiceView,
  servicePath,
  serviceView,
} from './hosted.ts';
import { Ledger } from './ledger.ts';
import { Lifecycle } from './lifecycle.ts';
import { type ParsedService, parseService, ServiceFileError } from './parse.ts';
import type { DefinitionStore, QueueHost, ServiceRuntime } from './ports.ts';
import {
  addToken,
  firstTokens,
  mainTokenName,
  removeToken,
  rotateToken,
  type TokenSet,
  updatedTokens,
} from './tokens.ts';
import { Turns } from './turns.ts';

/** Each service has queues, files and timers of its own. */
export const servicesMax = 1000;

export interface RegistryOptions {
  readonly store: DefinitionStore;
  readonly queues: QueueHost;
  readonly runtime: ServiceRuntime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Whether services without a token are possible: Sluice listens on loopback only. */
  readonly openAllowed: boolean;
}

export interface ApplyOptions {
  /** The name in the caller's address; refused when the file has another. */
  readonly name?: string | undefined;
  /** Refuse every unknown field. */
  readonly strict?: boolean;
}

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
  /** The main token; empty for an open service. */
  readonly token: string;
}

export interface TokenView {
  readonly name: string;
  /** Empty for the main token. */
  readonly scopes: readonly Scope[];
}

export interface TokenSecret extends TokenView {
  readonly secret: string;
}

export class Registry implements Component {
  readonly #options: RegistryOptions;
  readonly #ledger: Ledger;
  readonly #turns = new Turns();
  readonly #catalog: Catalog;
  readonly #lifecycle: Lifecycle;
  #started: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    const { queues, runtime, log, clock, random } = options;
    const ledger = new Ledger(options.store);
    const catalog = new Catalog(options.openAllowed);
    this.#ledger = ledger;
    this.#catalog = catalog;
    this.#lifecycle = new Lifecycle({ catalog, ledger, queues, runtime, clock, random, log });
  }

  /** Opens the queues of every known service and hands their wanted state on. Rejects only when the
   * definitions themselves can't be read. */
  start(): Promise<void> {
    this.#started ??= this.#recover();
    return this.#started;
  }

  async #recover(): Promise<void> {
    for (const hosted of await this.#lifecycle.recover()) {
      // Big queues take their time to go; nobody waits for that but `stop`, through the turns.
      void this.#turns.take(hosted.name, () => this.#lifecycle.resumeDeletion(hosted));
    }
  }

  /** Waits for operations under way; queues and instances are others' to stop. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#turns.settled();
  }

  /** From memory, for each request; undefined: no such service. */
  find(name: string): DirectoryEntry | undefined {
    return this.#catalog.find(name);
  }

  get(name: string): ServiceView | undefined {
    const hosted = this.#catalog.get(name);
    return hosted === undefined ? undefined : this.#view(hosted);
  }

  /** Sorted by name. */
  list(): readonly ServiceView[] {
    return this.#catalog.all().map((hosted) => this.#view(hosted));
  }

  /** As `apply`, but `conflict` when there is a service of that name. */
  async create(input: unknown, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    const parsed = this.#parse(input, options);
    return this.#inTurn(parsed.spec.name, async (hosted) => {
      if (hosted !== undefined) throw taken(hosted);
      return this.#create(parsed);
    });
  }

  /** Creates, updates, or does nothing when the file means what is there. Text or JSON value. */
  async apply(input: unknown, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    const parsed = this.#parse(input, options);
    return this.#inTurn(parsed.spec.name, async (hosted) => {
      if (hosted === undefined) return this.#create(parsed);
      if (hosted.phase === 'deleting') throw taken(hosted);
      return this.#update(hosted, parsed);
    });
  }

  /** Resolves when instances, queues and everything in them are gone. May be repeated after a
   * failure; a crash in between is made good at the next start. */
  async delete(name: string): Promise<void> {
    await this.#inTurn(name, async (found) => {
      const hosted = required(name, found);
      const definition: Definition = { ...hosted.definition, state: 'deleting' };
      const leaving: Hosted = { ...hosted, phase: 'deleting', definition, fault: undefined };
      await this.#ledger.save(leaving);
      this.#catalog.put(leaving);
      await this.#lifecycle.finishDeletion(leaving);
    });
  }

  tokens(name: string): readonly TokenView[] {
    const { further } = required(name, this.#catalog.get(name)).definition.tokens;
    return [
      { name: mainTokenName, scopes: [] },
      ...further.map((token) => ({ name: token.name, scopes: token.scopes })),
    ];
  }

  /** A further token; its secret is shown this once. */
  async addToken(name: string, token: string, scopes: readonly string[]): Promise<TokenSecret> {
    const { random } = this.#options;
    const tokens = await this.#changeTokens(name, (before) =>
      addToken(before, { name: token, scopes }, random),
    );
    return secretOf(tokens, token);
  }

  async removeToken(name: string, token: string): Promise<void> {
    await this.#changeTokens(name, (before) => removeToken(before, token));
  }

  /** A new secret for the main token, or for a further one; the old one is refused from now on. */
  async rotateToken(name: string, token: string = mainTokenName): Promise<TokenSecret> {
    const { random } = this.#options;
    const tokens = await this.#changeTokens(name, (before) => rotateToken(before, token, random));
    return secretOf(tokens, token);
  }

  async #create(parsed: ParsedService): Promise<ApplyOutcome> {
    const { name } = parsed.spec;
    if (this.#catalog.size >= servicesMax) {
      throw new PlatformError(
        'conflict',
        `there are ${servicesMax} services, the most there can be`,
      );
    }
    const at = this.#options.clock.now().wall;
    const number = await this.#ledger.nextNumber();
    const definition: Definition = {
      state: 'live',
      file: parsed.file,
      warnings: parsed.warnings,
      tokens: firstTokens(parsed.spec.token, this.#options.random),
      revision: 1,
      sourceRevision: 1,
      createdAt: at,
      updatedAt: at,
      history: [{ revision: 1, at, changed: [] }],
    };
    const fresh = { number, name, definition, parsed, isOpened: false, fault: undefined };
    this.#catalog.put({ ...fresh, phase: 'creating' });
    try {
      await this.#ledger.save(fresh);
      await this.#lifecycle.deploy(
        await this.#lifecycle.openQueues({ ...fresh, phase: 'live' }, parsed),
        parsed,
      );
    } catch (error) {
      await this.#abandon(name, number);
      throw error;
    }
    this.#options.log.info({ service: name, number }, 'service created');
    return this.#outcome(parsed, 'created', differences({}, parsed.complete), false);
  }

  /** After a failed creation; what can't be removed now shows up again at the next start. */
  async #abandon(name: string, number: number): Promise<void> {
    this.#catalog.take(name);
    try {
      await this.#ledger.drop(number);
    } catch (error) {
      this.#options.log.warn({ service: name, number, error }, 'failed creation not removed');
    }
  }

  async #update(before: Hosted, parsed: ParsedService): Promise<ApplyOutcome> {
    const { name } = before;
    const changes = differences(before.parsed?.complete ?? {}, parsed.complete);
    if (changes.length === 0) return this.#keep(before, parsed);
    const changed = changes.map(({ path }) => path);
    const after: Hosted = {
      ...before,
      definition: this.#revised(before, parsed, changed),
      parsed,
      fault: undefined,
    };
    await this.#ledger.save(after);
    try {
      await this.#lifecycle.deploy(await this.#lifecycle.openQueues(after, parsed), parsed);
    } catch (error) {
      await this.#ledger.save(before);
      throw error;
    }
    const { revision, sourceRevision } = after.definition;
    this.#options.log.info({ service: name, revision, changed }, 'service updated');
    const rollsOut = sourceRevision !== before.definition.sourceRevision;
    return this.#outcome(parsed, 'updated', changes, rollsOut);
  }

  /** The same service. Fields without effect are kept all the same; what did not work before may
   * do so now. */
  async #keep(before: Hosted, parsed: ParsedService): Promise<ApplyOutcome> {
    const { file, warnings } = parsed;
    const after: Hosted = { ...before, definition: { ...before.definition, file, warnings } };
    if (JSON.stringify(file) !== JSON.stringify(before.definition.file)) {
      await this.#ledger.save(after);
      this.#catalog.put(after);
    }
    if (!after.isOpened || after.fault !== undefined) {
      await this.#lifecycle.deploy(await this.#lifecycle.openQueues(after, parsed), parsed);
    }
    return this.#outcome(parsed, 'unchanged', [], false);
  }

  #revised(before: Hosted, parsed: ParsedService, changed: readonly string[]): Definition {
    const { definition } = before;
    const at = this.#options.clock.now().wall;
    const revision = definition.revision + 1;
    const wasSource = JSON.stringify(before.parsed?.spec.instances.source);
    const isSame = wasSource === JSON.stringify(parsed.spec.instances.source);
    const wishes = {
      before: before.parsed?.spec.token ?? { kind: 'generated' as const },
      after: parsed.spec.token,
    };
    return {
      ...definition,
      file: parsed.file,
      warnings: parsed.warnings,
      tokens: updatedTokens(definition.tokens, wishes, this.#options.random),
      revision,
      sourceRevision: isSame ? definition.sourceRevision : revision,
      updatedAt: at,
      history: withRevision(definition.history, { revision, at, changed }),
    };
  }

  async #changeTokens(name: string, change: (tokens: TokenSet) => TokenSet): Promise<TokenSet> {
    return this.#inTurn(name, async (found) => {
      const hosted = required(name, found);
      const tokens = change(hosted.definition.tokens);
      const after: Hosted = { ...hosted, definition: { ...hosted.definition, tokens } };
      await this.#ledger.save(after);
      this.#catalog.put(after);
      this.#options.log.info({ service: name }, 'service tokens changed');
      return tokens;
    });
  }

  #parse(input: unknown, options: ApplyOptions): ParsedService {
    const { openAllowed } = this.#options;
    const parsed = parseService(input, { strict: options.strict ?? false, openAllowed });
    const { name } = parsed.spec;
    if (options.name === undefined || options.name === name) return parsed;
    const message = `is ${name}, but the address says ${options.name}`;
    throw new ServiceFileError([{ path: 'metadata.name', message }]);
  }

  #inTurn<Result>(
    name: string,
    work: (hosted: Hosted | undefined) => Promise<Result>,
  ): Promise<Result> {
    return this.#turns.take(name, async () => {
      if (this.#isStopped) throw new PlatformError('unavailable', 'Sluice is stopping');
      return work(this.#catalog.get(name));
    });
  }

  #outcome(
    parsed: ParsedService,
    change: ApplyOutcome['change'],
    changes: readonly FieldChange[],
    rollsOut: boolean,
  ): ApplyOutcome {
    const { name } = parsed.spec;
    const { definition } = required(name, this.#catalog.get(name));
    return {
      change,
      name,
      revision: definition.revision,
      changes: withoutSecretValues(changes),
      rollsOut,
      warnings: parsed.warnings,
      path: servicePath(name),
      token: mainSecret(definition.tokens),
    };
  }

  #view(hosted: Hosted): ServiceView {
    const { runtime, openAllowed } = this.#options;
    return serviceView(hosted, runtime.report(hosted.name), openAllowed);
  }
}

function required(name: string, hosted: Hosted | undefined): Hosted {
  if (hosted !== undefined) return hosted;
  throw new PlatformError('not_found', `there is no service ${name}`);
}

function taken({ name, phase }: Hosted): PlatformError {
  const why = phase === 'deleting' ? 'is being deleted' : 'exists already';
  return new PlatformError('conflict', `service ${name} ${why}`);
}

function secretOf(tokens: TokenSet, name: string): TokenSecret {
  const token = tokens.further.find((each) => each.name === name);
  if (token !== undefined) return { name, scopes: token.scopes, secret: token.secret };
  return { name: mainTokenName, scopes: [], secret: mainSecret(tokens) };
}
