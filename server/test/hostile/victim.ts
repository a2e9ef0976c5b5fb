// A server in a process of its own that hostile clients may do their worst to: whether it lives,
// and how much memory it keeps, are looked at from outside.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RawPeer } from './world.ts';

export interface VictimOrder {
  readonly folder: string;
  readonly limits: readonly string[];
  readonly queue: Readonly<Record<string, unknown>>;
}

/** After a full collection. */
export interface Measured {
  /** Heap and buffers in use. */
  readonly usedBytes: number;
  readonly residentBytes: number;
}

export class Victim {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #ended: Promise<unknown>;
  #errors: string;

  private constructor(child: ChildProcess, folder: string, port: number, ended: Promise<unknown>) {
    this.#child = child;
    this.#folder = folder;
    this.port = port;
    this.#ended = ended;
    this.#errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.#errors.length < 10_000) this.#errors += text;
    });
  }

  static async start(changes: Partial<VictimOrder> = {}): Promise<Victim> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-victim-'));
    const order: VictimOrder = { folder: join(folder, 'data'), limits: [], queue: {}, ...changes };
    const main = fileURLToPath(new URL('victim-main.ts', import.meta.url));
    const flags = ['--expose-gc', '--conditions=source', '--import', 'tsx'];
    const child = spawn(process.execPath, [...flags, main, JSON.stringify(order)], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    const ended = once(child, 'exit');
    const died = ended.then(() => {
      throw new Error('the victim did not start');
    });
    const [started] = await Promise.race([once(child, 'message'), died]);
    return new Victim(child, folder, started.port, ended);
  }

  /** Whether the process still runs. */
  get lives(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it logged as errors: bugs. */
  get errors(): string {
    return this.#errors;
  }

  peer(): Promise<RawPeer> {
    return RawPeer.connect(this.port);
  }

  async measure(): Promise<Measured> {
    const answer = once(this.#child, 'message');
    this.#child.send('measure');
    const [measured] = await answer;
    return measured;
  }

  /** The most memory that it ever had, since the last call; Linux only. */
  peakBytes(): number {
    const { pid } = this.#child;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // The kernel begins anew.
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** The files of its bodies. */
  async bodies(): Promise<readonly string[]> {
    return readdir(join(this.#folder, 'data', 'bodies'));
  }

  async stop(): Promise<void> {
    if (this.lives) this.#child.disconnect();
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
