// `sluice processor KIND` in a process of its own, as the built server runs it, and calls to it
// over kept connections.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Pool } from 'undici';

export interface ServedModel {
  readonly kind: 'onnx' | 'pmml' | 'node' | 'python';
  readonly model: string;
  readonly config: object;
}

const connections = 16;

/** `sluice processor KIND` in a process of its own. */
export class Served {
  readonly readyMs: number;
  readonly #process: ChildProcess;
  readonly #pool: Pool;

  private constructor(process: ChildProcess, origin: string, readyMs: number) {
    this.#process = process;
    this.#pool = new Pool(origin, { connections });
    this.readyMs = readyMs;
  }

  static async start(served: ServedModel, flags: readonly string[] = []): Promise<Served> {
    const { kind, model, config } = served;
    const startedAt = performance.now();
    const text = JSON.stringify(config);
    const args = ['server/bin/sluice.js', 'processor', kind, model, '--config', text];
    const child = spawn(process.execPath, [...args, '--port', '0', '--window', '64', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const origin = await new Promise<string>((resolve, reject) => {
      let output = '';
      const read = (chunk: Buffer): void => {
        output += chunk;
        const address = /http:\/\/[\d.]+:\d+/.exec(output)?.[0];
        if (address !== undefined) resolve(address);
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('exit', () => reject(new Error(`the processor has ended: ${output}`)));
    });
    await new Served(child, origin, 0).#isReady();
    return new Served(child, origin, performance.now() - startedAt);
  }

  async post(path: string, body: Buffer, type: string): Promise<void> {
    const headers = { 'content-type': type };
    const answer = await this.#pool.request({ path, method: 'POST', headers, body });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}: ${text}`);
  }

  /** A call that no model is asked for. */
  async ask(): Promise<void> {
    const { body } = await this.#pool.request({ path: '/health', method: 'GET' });
    await body.dump();
  }

  residentMb(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8');
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
  }

  /** Processor time so far of all its threads and children, also when others keep the machine
   * busy. */
  cpuMs(): number {
    return nanosecondsOf(this.#process.pid) / 1e6;
  }

  async stop(): Promise<void> {
    await this.#pool.destroy();
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await gone;
  }

  async #isReady(): Promise<void> {
    for (;;) {
      const { statusCode, body } = await this.#pool.request({ path: '/health', method: 'GET' });
      await body.dump();
      if (statusCode === 200) break;
    }
    await this.#pool.destroy();
  }
}

function nanosecondsOf(pid: number | string | undefined): number {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  return tasks.reduce((sum, task) => {
    const own = Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0]);
    const children = readFileSync(`${task}/children`, 'utf8').split(' ').filter(Boolean);
    return sum + children.reduce((total, child) => total + nanosecondsOf(child), own);
  }, 0);
}
