// What a scenario is, and what it is given: a world, a ledger, and servers whose ends are counted.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CensusOptions, takeCensus } from './census.ts';
import { type Balance, Ledger } from './ledger.ts';
import { pause, someMs } from './pause.ts';
import { freePort } from './port.ts';
import { Server } from './server.ts';
import { openTraffic, type Traffic, type TrafficOptions } from './traffic.ts';
import { root, type World } from './world.ts';

export interface Scenario {
  readonly name: string;
  /** What is done to it, for the reader of the table. */
  readonly about: string;
  /** Its part of the kills of a whole run. */
  readonly share: number;
  /** Why it cannot run on this machine. */
  readonly missing?: () => string | undefined;
  run(stage: Stage): Promise<void>;
}

export interface Outcome extends Balance {
  readonly name: string;
  readonly about: string;
  /** Set when it did not run; then all numbers are 0. */
  readonly notRun: string | undefined;
  /** SIGKILLs of the server. */
  readonly kills: number;
  /** Faults of the scenario's own kind besides. */
  readonly faults: number;
  readonly seconds: number;
  /** What must not be; a scenario without is passed. */
  readonly problems: readonly string[];
  /** What is worth knowing. */
  readonly notes: readonly string[];
}

export interface StageOptions {
  readonly world: World;
  readonly kills: number;
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
}

/** Where no load gets through, the scenario goes on after this time. */
const loadMs = 5_000;

export class Stage {
  readonly world: World;
  readonly ledger: Ledger = new Ledger();
  /** How often the scenario is to kill the server. */
  readonly kills: number;
  /** Only a short version is wanted. */
  readonly isQuick: boolean;
  readonly problems: string[] = [];
  readonly notes: string[] = [];
  killed = 0;
  faults = 0;
  readonly #say: (text: string) => void;
  readonly #servers: Server[] = [];
  readonly #traffics: Traffic[] = [];

  constructor({ world, kills, isQuick, say }: StageOptions) {
    this.world = world;
    this.kills = kills;
    this.isQuick = isQuick;
    this.#say = say;
  }

  /** A server with these services, not started yet. Several in one scenario differ by name. */
  async server(
    definitions: readonly object[],
    more: { readonly data?: string; readonly name?: string } = {},
  ): Promise<Server> {
    const server = new Server({
      world: this.world,
      definitions,
      port: await freePort(),
      onKill: () => {
        this.killed += 1;
        this.progress();
      },
      onSurprise: (what) => this.problem(what),
      ...more,
    });
    this.#servers.push(server);
    return server;
  }

  async traffic(options: Omit<TrafficOptions, 'ledger'>): Promise<Traffic> {
    const traffic = await openTraffic({ ...options, ledger: this.ledger });
    this.#traffics.push(traffic);
    return traffic;
  }

  /** Lets the load run on until some more puts have been accepted. */
  async underLoad(more = someMs(20, 150)): Promise<void> {
    const target = this.ledger.acceptedCount + Math.round(more);
    await Promise.race([this.ledger.until(target), pause(loadMs)]);
  }

  /** One fault of the scenario's own kind has happened. */
  fault(): void {
    this.faults += 1;
    this.progress();
  }

  problem(text: string): void {
    this.problems.push(text);
  }

  note(text: string): void {
    this.notes.push(text);
  }

  progress(): void {
    const { acceptedCount, openCount } = this.ledger;
    const faults = this.faults > 0 ? `, ${this.faults} faults` : '';
    this.#say(`${this.killed} kills${faults}, ${acceptedCount} accepted, ${openCount} open`);
  }

  /** Waits until all is done, counts what is left, stops the server and reads its disk. */
  async settle(server: Server, traffic: Traffic, service: string): Promise<void> {
    if (!(await traffic.rest())) this.problem('it did not come to rest');
    await this.count({ url: server.url, service });
    await traffic.close();
    await server.stop();
    await this.verify(server);
  }

  async count(of: Omit<CensusOptions, 'ledger'>): Promise<void> {
    await takeCensus({ ...of, ledger: this.ledger });
  }

  /** Compares all checksums of the folder, which nobody may be using. */
  async verify({ data }: Server): Promise<void> {
    const program = join(root, 'server/bin/sluice.js');
    const command = [program, 'verify', '--data', data, '--json'];
    try {
      await promisify(execFile)(process.execPath, command);
    } catch (error) {
      this.problem(`sluice verify: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Ends what the scenario has left open, whatever became of it. */
  async close(): Promise<void> {
    for (const server of this.#servers) server.expectEnd();
    await Promise.all(this.#traffics.map((traffic) => traffic.close().catch(() => undefined)));
  }

  /** All that must not be, with a few ids to look for. */
  allProblems(): readonly string[] {
    const { lost, duplicated } = this.ledger.evidence();
    const some = (ids: readonly string[]): string => ids.slice(0, 5).join(', ');
    return [
      ...this.problems,
      ...(lost.length > 0 ? [`${lost.length} lost: ${some(lost)}`] : []),
      ...(duplicated.length > 0 ? [`${duplicated.length} duplicated: ${some(duplicated)}`] : []),
      ...this.ledger.contradictions.slice(0, 10),
    ];
  }
}
