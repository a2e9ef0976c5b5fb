// What services there are: declarations become durable definitions, open queues and a wanted state
// for their instances, and come back after a restart. Operations on one service run one after the
// other. The definition is always saved first: whatever a crash leaves undone, the next start does.

import { PlatformError, type Scope, type ServiceChange } from '@sluice/sdk/wire';
import type { Queues } from '../broker/queues.ts';
import type { DeployedService } from '../deployment/service.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { Catalog } from './catalog.ts';
import { type ApplyOutcome, Declarations } from './declarations.ts';
import { type Definition, isLost } from './definition.ts';
import { Halting } from './halting.ts';
import {
  type DirectoryEntry,
  type Hosted,
  mainSecret,
  type ServiceView,
  serviceView,
  wantedCount,
} from './hosted.ts';
import { Ledger } from './ledger.ts';
import { Lifecycle } from './lifecycle.ts';
import { type ParsedService, parseService, ServiceFileError } from './parse.ts';
import { changedFile, withBlock } from './patch.ts';
import type { DefinitionStore, QueueHost, ServiceRuntime } from './ports.ts';
import { type RevisionView, revisionViews } from './revision-view.ts';
import { type ScaledService, scaledService } from './scaled.ts';
import { launched, Switching } from './switching.ts';
import { addToken, mainTokenName, removeToken, rotateToken, type TokenSet } from './tokens.ts';
import { Turns } from './turns.ts';
import type { Tree } from './unfold.ts';

export interface RegistryOptions {
  readonly store: DefinitionStore;
  readonly queues: QueueHost;
  readonly runtime: ServiceRuntime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Whether services without a token are possible: Sluice listens on loopback only. */
  readonly openAllowed: boolean;
  /** Takes what happens to declarations; default: nobody is told. */
  readonly record?: RecordEvent;
}

/** How a file is taken. */
export interface ApplyOptions {
  /** The name in the caller's address; refused when the file has another. */
  readonly name?: string | undefined;
  /** Refuse every unknown field. */
  readonly strict?: boolean;
  /** Check everything and say what would change, and change nothing. */
  readonly dryRun?: boolean;
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
  readonly #declarations: Declarations;
  readonly #switching: Switching;
  readonly #halting: Halting;
  readonly #record: RecordEvent;
  #started: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: RegistryOptions) {
    const { queues, runtime, log, clock, random, record = () => undefined } = options;
    const ledger = new Ledger(options.store);
    const catalog = new Catalog(options.openAllowed);
    const parts = { catalog, ledger, queues, runtime, clock, random, log, record };
    const lifecycle = new Lifecycle(parts);
    const declarations = new Declarations({ ...parts, lifecycle });
    this.#options = options;
    this.#ledger = ledger;
    this.#catalog = catalog;
    this.#lifecycle = lifecycle;
    this.#declarations = declarations;
    this.#switching = new Switching({ ...parts, declarations });
    this.#halting = new Halting({ ...parts, lifecycle, turns: this.#turns });
    this.#record = record;
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
      void this.#turns.take(hosted.name, () =>
        hosted.phase === 'stopping'
          ? this.#halting.resume(hosted)
          : this.#lifecycle.resumeDeletion(hosted),
      );
    }
  }

  /** Waits for operations under way; queues and instances are others' to stop. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#halting.close();
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

  /** Services whose number of instances an autoscaler decides; none that is stopped. */
  scaled(): readonly ScaledService[] {
    return this.#catalog.all().flatMap((hosted) => scaledService(hosted) ?? []);
  }

  /** The queues of a stopped service, as far as they can be looked at; undefined: it is not. */
  resting(name: string): Queues | undefined {
    return this.#catalog.resting(name);
  }

  /** As `apply`, but `conflict` when there is a service of that name. */
  async create(input: unknown, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    const parsed = this.#parse(input, options);
    return this.#inTurn(parsed.spec.name, async (hosted) => {
      if (hosted !== undefined) throw taken(hosted);
      return this.#declarations.create(parsed, { dryRun: options.dryRun ?? false });
    });
  }

  /** Creates, updates, or does nothing when the file means what is there. Text or JSON value. */
  async apply(input: unknown, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    const parsed = this.#parse(input, options);
    const { dryRun = false } = options;
    return this.#inTurn(parsed.spec.name, async (hosted) => {
      if (hosted === undefined) return this.#declarations.create(parsed, { dryRun });
      const known = unlessDeleting(hosted);
      return this.#declarations.update(known, parsed, { text: 'applied', dryRun });
    });
  }

  /** Changes some fields of the declared file. */
  async modify(
    name: string,
    change: ServiceChange,
    options: ApplyOptions = {},
  ): Promise<ApplyOutcome> {
    return this.#redeclare(name, 'modified', options, (file) => changedFile(file, change));
  }

  /** Declares the `autoscaler` block, whole; undefined takes it away. */
  async setAutoscaler(
    name: string,
    block: Tree | undefined,
    options: ApplyOptions = {},
  ): Promise<ApplyOutcome> {
    const text = block === undefined ? 'without autoscaler' : 'with another autoscaler';
    return this.#redeclare(name, text, options, (file) => withBlock(file, 'autoscaler', block));
  }

  /** The latest revisions, the newest last. */
  revisions(name: string): readonly RevisionView[] {
    return revisionViews(required(name, this.#catalog.get(name)).definition);
  }

  /** Makes the file of an earlier revision the newest one; tokens stay as they are. */
  async switchRevision(
    name: string,
    revision: number,
    { dryRun = false }: Pick<ApplyOptions, 'dryRun'> = {},
  ): Promise<ApplyOutcome> {
    return this.#inTurn(name, async (found) => {
      const hosted = unlessDeleting(required(name, found));
      return this.#switching.switchBack(hosted, revision, { dryRun });
    });
  }

  /** No instance of a launch became ready: goes back to the latest that did. Never rejects. */
  async rollBack(
    name: string,
    number: number,
    sourceRevision: number,
    reason: string,
  ): Promise<void> {
    await this.#aboutLaunch(name, number, (hosted) =>
      this.#switching.rollBack(hosted, sourceRevision, reason),
    );
  }

  /** An instance of a launch was ready: it is one to go back to. Never rejects. */
  async proven(name: string, number: number, sourceRevision: number): Promise<void> {
    await this.#aboutLaunch(name, number, (hosted) =>
      this.#switching.proven(hosted, sourceRevision),
    );
  }

  /** A service as it was declared for an earlier launch of its instances; undefined: not known. */
  launched(name: string, number: number, sourceRevision: number): DeployedService | undefined {
    const hosted = this.#catalog.get(name);
    return hosted?.number === number ? launched(hosted, sourceRevision) : undefined;
  }

  /** What an autoscaler decided: durable, no revision. Refused where none has a say. */
  async scale(name: string, count: number, reason: string): Promise<void> {
    await this.#inTurn(name, async (found) => {
      const hosted = required(name, found);
      const { parsed, phase, definition } = hosted;
      if (parsed?.spec.scaling === undefined || phase !== 'live') {
        throw new PlatformError('conflict', `nothing scales service ${name} now`);
      }
      if (wantedCount(hosted, parsed) === count && definition.scaledTo === count) return;
      const after: Hosted = { ...hosted, definition: { ...definition, scaledTo: count } };
      await this.#ledger.save(after);
      this.#catalog.put(after);
      this.#options.log.info({ service: name, count, reason }, 'service scaled');
      await this.#lifecycle.deploy(after, parsed);
    });
  }

  /** Takes it out of use: resolves when that is durable; its status says when it is done. */
  async halt(name: string, how: { readonly now: boolean }): Promise<void> {
    await this.#inTurn(name, async (found) =>
      this.#halting.stop(unlessLost(unlessDeleting(required(name, found))), how),
    );
  }

  /** Takes a stopped service into use again. */
  async resume(name: string): Promise<void> {
    await this.#inTurn(name, async (found) =>
      this.#halting.start(unlessDeleting(required(name, found))),
    );
  }

  /** Resolves when instances, queues and everything in them are gone. May be repeated after a
   * failure; a crash in between is made good at the next start. */
  async delete(name: string): Promise<void> {
    await this.#inTurn(name, async (found) => {
      const hosted = required(name, found);
      const definition: Definition = { ...hosted.definition, state: 'deleting' };
      const leaving: Hosted = { ...hosted, phase: 'deleting', definition, fault: undefined };
      await this.#ledger.save(leaving);
      this.#halting.forget(name);
      this.#catalog.put(leaving);
      await this.#lifecycle.finishDeletion(leaving);
      this.#record({ service: name, kind: 'service', what: 'deleted', text: 'Service deleted' });
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

  async #redeclare(
    name: string,
    text: string,
    { strict = false, dryRun = false }: ApplyOptions,
    change: (file: Tree) => Tree,
  ): Promise<ApplyOutcome> {
    return this.#inTurn(name, async (found) => {
      const hosted = unlessLost(unlessDeleting(required(name, found)));
      const parsed = this.#parse(change(hosted.definition.file), { strict, name });
      return this.#declarations.update(hosted, parsed, { text, dryRun });
    });
  }

  async #changeTokens(name: string, change: (tokens: TokenSet) => TokenSet): Promise<TokenSet> {
    return this.#inTurn(name, async (found) => {
      const hosted = unlessLost(required(name, found));
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

  #view(hosted: Hosted): ServiceView {
    const { runtime, queues, openAllowed } = this.#options;
    const { name, phase } = hosted;
    const leased = phase === 'stopping' ? (queues.find(name)?.view('input').leased ?? 0) : 0;
    return serviceView(hosted, { report: runtime.report(name), leased, openAllowed });
  }

  /** Calls of the instances' side: there is nobody to tell of a failure. */
  async #aboutLaunch(
    name: string,
    number: number,
    work: (hosted: Hosted) => Promise<unknown>,
  ): Promise<void> {
    try {
      await this.#inTurn(name, async (hosted) => {
        if (hosted?.number === number) await work(hosted);
      });
    } catch (error) {
      if (!this.#isStopped) this.#options.log.error({ service: name, error }, 'launch not judged');
    }
  }
}

function required(name: string, hosted: Hosted | undefined): Hosted {
  if (hosted !== undefined) return hosted;
  throw new PlatformError('not_found', `there is no service ${name}`);
}

function unlessDeleting(hosted: Hosted): Hosted {
  if (hosted.phase === 'deleting') throw taken(hosted);
  return hosted;
}

/** What stands in for a damaged definition must not be kept in its place. */
function unlessLost(hosted: Hosted): Hosted {
  const { name, definition, fault } = hosted;
  if (!isLost(definition)) return hosted;
  throw new PlatformError('conflict', `service ${name} is not open: ${fault}`);
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
