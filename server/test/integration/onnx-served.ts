// `sluice processor onnx` in a process of its own, as the built server runs it, and calls to it
// over kept connections.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Pool } from 'undici';

export interface ServedModel {
  readonly model: string;
  readonly config: object;
}

const connections = 16;

/** `sluice processor onnx` in a process of its own. */
export class Served {
  readonly readyMs: number;
  readonly #process: ChildProcess;
  readonly #pool: Pool;

  private constructor(process: ChildProcess, origin: string, readyMs: number) {
    this.#process = process;
    this.#pool = new Pool(origin, { connections });
    this.readyMs = readyMs;
  }

  static async start({ model, config }: ServedModel, flags: readonly string[]): Promise<Served> {
    const startedAt = performance.now();
    const text = JSON.stringify({ threads: 1, ...config });
    const args = ['server/bin/sluice.js', 'processor', 'onnx', model, '--config', text];
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
    const served = new Served(child, origin, performance.now() - startedAt);
    await served.#isReady();
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

  /** Processor time of all its threads so far, also when others keep the machine busy. */
  cpuMs(): number {
    const tasks = `/proc/${this.#process.pid}/task`;
    const times = readdirSync(tasks).map((task) =>
      Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
    );
    return times.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6;
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
