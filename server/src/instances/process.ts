// Model servers as processes of this machine: started by bash in a group of their own, their output
// straight in a file, recorded before they begin and ended as a whole group.

import { closeSync, mkdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ProcessSource } from '../deployment/instances.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { invariant } from '../kernel/invariant.ts';
import type { Log } from '../kernel/log.ts';
import type { Driver, Ending, Launch, LogRequest, Running, Survivor, Usage } from './driver.ts';
import { allowedEnvironment, type Environment } from './environment.ts';
import { runBeside } from './exec.ts';
import { KeptLogs } from './kept-logs.ts';
import type { LogFile } from './log-file.ts';
import { neverRan } from './never-ran.ts';
import { instanceHost, Ports } from './port.ts';
import { bootId, processEnd, processFacts } from './proc.ts';
import { endGroup, signalGroup } from './process-group.ts';
import { type ProcessRecord, ProcessRecords } from './process-records.ts';
import { findSurvivors, instanceVariable } from './process-survivors.ts';
import { GroupUsage } from './process-usage.ts';
import { type GatedProcess, startGated } from './shell.ts';

export interface ProcessDriverOptions {
  /** The one folder this driver owns: records and logs. */
  readonly folder: string;
  /** The server's environment; an allow-listed part of it is passed on. */
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
  /** Where models report how their work goes, given as SLUICE_REPORT_URL; undefined: nowhere. */
  readonly reportUrl?: () => string | undefined;
  /** Shared by drivers of one machine, so that none takes a port that another has chosen. */
  readonly ports?: Ports;
  /** An instance's log is cut at this size; one older piece of it is kept. */
  readonly logBytesMax?: number;
  /** From SIGTERM to SIGKILL for what a killed server has left. */
  readonly orphanGraceMs?: number;
}

const cutEveryMs = 1000;
/** What a dead process has left in its group is not waited for as long as a living one. */
const leftoverGraceMs = 3000;
const defaultOrphanGraceMs = 10_000;

export class ProcessDriver implements Driver {
  readonly cutGraceMs = 500;
  readonly #options: ProcessDriverOptions;
  readonly #records: ProcessRecords;
  readonly #ports: Ports;
  readonly #logs: KeptLogs;
  readonly #usages = new Map<string, GroupUsage>();
  readonly #environment: Readonly<Record<string, string>>;

  constructor(options: ProcessDriverOptions) {
    this.#options = options;
    this.#ports = options.ports ?? new Ports();
    this.#records = new ProcessRecords(options.folder);
    const { folder, clock, logBytesMax } = options;
    this.#logs = new KeptLogs({ folder, clock, logBytesMax });
    this.#environment = allowedEnvironment(options.environment);
  }

  async survivors(): Promise<readonly Survivor[]> {
    const { clock, log, folder, orphanGraceMs = defaultOrphanGraceMs } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const survivors = await findSurvivors({
      records: this.#records,
      clock,
      log,
      graceMs: orphanGraceMs,
      adopt: (record, launch) => this.#adopt(record, launch),
    });
    // Before logs are thrown away: theirs are still written to.
    for (const { instance } of survivors) this.#logs.begin(instance);
    await this.#logs.prune();
    return survivors;
  }

  async problem(): Promise<undefined> {
    return undefined;
  }

  async start(launch: Launch): Promise<Running> {
    const { source, instance } = launch;
    invariant(source.kind === 'process', 'the process driver runs processes');
    this.#logs.begin(instance);
    const fixed = source.port !== 0;
    if (fixed && !(await this.#ports.fixed(source.port))) {
      return neverRan(`port ${source.port} is already in use; leave it out and listen on PORT`);
    }
    const port = fixed ? source.port : await this.#ports.free();
    const failed = (problem: string): Running => {
      this.#ports.giveBack(port);
      return neverRan(problem);
    };
    const folderProblem = problemWith(source.workDir);
    if (folderProblem !== undefined) return failed(folderProblem);
    try {
      return await this.#launch(launch, source, port);
    } catch (error) {
      return failed(`cannot be started: ${textOf(error)}`);
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
    return this.#usages.get(instance)?.look();
  }

  async #launch(launch: Launch, source: ProcessSource, port: number): Promise<Running> {
    const { service, instance, number, key, revision, devices, uses } = launch;
    const env = this.#environmentOf(launch, source, port);
    const log = this.#logs.file(instance);
    const output = log.openForAppending();
    let gated: GatedProcess;
    try {
      gated = startGated(source.text, { env, workDir: source.workDir, output });
    } finally {
      closeSync(output);
    }
    const ended = endOf(gated);
    const pid = gated.child.pid;
    if (pid === undefined) {
      const { problem = 'bash cannot be started' } = await ended;
      throw new Error(problem);
    }
    const startTicks = processFacts(pid)?.startTicks ?? '';
    const startedAt = this.#options.clock.now().wall;
    const recorded = { number, key, revision, startedAt, devices, uses };
    const record = { service, instance, pid, port, startTicks, bootId: bootId() };
    try {
      await this.#records.save({ ...record, launch: recorded });
    } catch (error) {
      signalGroup(pid, 'SIGKILL');
      throw error;
    }
    gated.begin();
    const process = { group: pid, ended, log, port, instance };
    return this.#running(process, { env, workDir: source.workDir });
  }

  /** As if it had been started just now; how it ends can only be seen, not be told. */
  async #adopt(record: ProcessRecord, launch: Launch): Promise<Running> {
    const { source, instance } = launch;
    invariant(source.kind === 'process', 'the process driver runs processes');
    const { clock } = this.#options;
    const { pid: group, port } = record;
    const facts = processFacts(group);
    if (facts === undefined) throw new Error(`process ${group} has ended`);
    this.#logs.begin(instance);
    this.#ports.take(port);
    const unknown = { code: undefined, signal: undefined, problem: undefined };
    const ended = processEnd(facts, clock).then(() => unknown);
    const process = { group, ended, log: this.#logs.file(instance), port, instance };
    const env = this.#environmentOf(launch, source, port);
    return this.#running(process, { env, workDir: source.workDir });
  }

  /**
   * Accelerators that are this process's alone are the only ones it sees, numbered as the maker's
   * tool numbers them. A service that declares none is left alone: it sees what the server sees, or
   * what its own environment says.
   */
  #environmentOf(
    { service, instance, devices }: Launch,
    source: ProcessSource,
    port: number,
  ): Readonly<Record<string, string>> {
    const reportUrl = this.#options.reportUrl?.();
    const own = { CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: devices.join(',') };
    return {
      ...this.#environment,
      ...source.env,
      ...(devices.length === 0 ? {} : own),
      PORT: String(port),
      HOST: instanceHost,
      SLUICE_SERVICE: service,
      ...(reportUrl === undefined ? {} : { SLUICE_REPORT_URL: reportUrl }),
      [instanceVariable]: instance,
    };
  }

  #running(started: StartedProcess, surroundings: Surroundings): Running {
    const { clock } = this.#options;
    const { group, port, log, ended, instance } = started;
    this.#usages.set(instance, new GroupUsage(group, clock));
    let timer: Timer | undefined;
    const watchLog = (): void => {
      log.cut();
      timer = clock.after(cutEveryMs, watchLog);
    };
    watchLog();
    const hurry = new AbortController();
    let gone: Promise<void> | undefined;
    const end = (graceMs: number): Promise<void> => {
      gone ??= this.#end(started, graceMs, hurry.signal).finally(() => {
        timer?.cancel();
        log.cut();
        this.#usages.delete(instance);
      });
      return gone;
    };
    // A group outlives its leader: what is left of it must not keep the port.
    ended.then(() => end(leftoverGraceMs)).catch(() => undefined);
    return {
      url: new URL(`http://${instanceHost}:${port}`),
      pid: group,
      port,
      hasBegun: true,
      ended,
      stop: (graceMs) => end(graceMs),
      kill: () => {
        hurry.abort();
        signalGroup(group, 'SIGKILL');
      },
      exec: (argv, signal) => runBeside({ ...surroundings, argv, signal }),
    };
  }

  async #end(started: StartedProcess, graceMs: number, hurry: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const { group, instance, port } = started;
    if (!(await endGroup({ clock, group, graceMs, hurry }))) {
      log.error({ instance, pid: group }, 'a process does not end even by SIGKILL');
    }
    await this.#records.remove(instance);
    this.#ports.giveBack(port);
  }
}

interface StartedProcess {
  readonly instance: string;
  readonly group: number;
  readonly port: number;
  readonly log: LogFile;
  readonly ended: Promise<Ending>;
}

interface Surroundings {
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string | undefined;
}

function endOf({ child }: GatedProcess): Promise<Ending> {
  return new Promise((done) => {
    child.once('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      const problem = missing ? 'bash is needed to run processes' : textOf(error);
      done({ code: undefined, signal: undefined, problem });
    });
    child.once('exit', (code, signal) => {
      done({ code: code ?? undefined, signal: signal ?? undefined, problem: undefined });
    });
  });
}

function problemWith(workDir: string | undefined): string | undefined {
  if (workDir === undefined) return undefined;
  const facts = statSync(workDir, { throwIfNoEntry: false });
  return facts?.isDirectory() ? undefined : `the folder ${resolve(workDir)} does not exist`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
