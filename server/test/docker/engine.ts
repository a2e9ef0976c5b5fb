// A Docker Engine of the test's own: started in a temporary folder, on a bridge of its own and
// without touching the machine's packet filter, so that several can run side by side. Nothing of it
// is left afterwards. It needs root and Debian's docker.io and iproute2.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';

const run = promisify(execFile);
const isOnPath = (program: string): boolean =>
  ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) => existsSync(join(folder, program)));

const needed = ['dockerd', 'ip', 'setpriv', 'busybox', 'docker-registry', 'mmdebstrap'];
const missing = needed.filter((program) => !isOnPath(program));

/** Why no engine can be started here; undefined: one can. */
export const engineProblem: string | undefined =
  process.getuid?.() !== 0
    ? 'a Docker Engine of the test needs root'
    : missing.length > 0
      ? `a Docker Engine of the test needs ${missing.join(', ')}`
      : undefined;

if (engineProblem !== undefined) process.stderr.write(`No container is tested: ${engineProblem}\n`);

const upMs = 30_000;
const downMs = 30_000;
const pollMs = 25;

export interface EngineOptions {
  /** Containers outlive the engine. */
  readonly liveRestore?: boolean;
}

export class TestEngine {
  readonly folder: string;
  readonly docker: Docker;
  readonly #options: EngineOptions;
  #bridge = '';
  #child: ChildProcess | undefined;

  constructor(folder: string, options: EngineOptions) {
    this.folder = folder;
    this.#options = options;
    this.docker = new Docker({ socketPath: this.socket, host: '' });
  }

  get socket(): string {
    return join(this.folder, 'docker.sock');
  }

  /** What `DOCKER_HOST` has to be. */
  get host(): string {
    return `unix://${this.socket}`;
  }

  /** Starts it, for the first time or again. */
  async start(): Promise<void> {
    if (this.#bridge === '') this.#bridge = await addBridge();
    const { folder } = this;
    const output = openSync(join(folder, 'log'), 'a');
    const args = [
      ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
      ...['--pidfile', join(folder, 'pid'), '--host', this.host, '--bridge', this.#bridge],
      ...['--iptables=false', '--ip6tables=false', '--ip-masq=false', '--ip-forward=false'],
      ...(this.#options.liveRestore === true ? ['--live-restore'] : []),
    ];
    // It ends with this process, however that ends.
    this.#child = spawn('setpriv', ['--pdeathsig', 'TERM', 'dockerd', ...args], {
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    const until = systemClock.now().mono + upMs;
    while (!(await this.#answers())) {
      if (this.#child.exitCode !== null || systemClock.now().mono > until) {
        throw new Error(`dockerd did not start:\n${readFileSync(join(folder, 'log'), 'utf8')}`);
      }
      await wait(pollMs);
    }
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    await this.#endBy('SIGKILL');
    // Its own containerd ends with it. Where nobody buries the dead, the next engine would believe
    // that it still runs, and wait for it.
    await rm(join(this.folder, 'exec/containerd/containerd.pid'), { force: true });
  }

  /** Ends every container, the engine, and what it has left on the machine. */
  async stop(): Promise<void> {
    if (await this.#answers()) {
      for (const { Id: id } of await this.docker.listContainers({ all: true })) {
        await this.docker
          .getContainer(id)
          .remove({ force: true })
          .catch(() => undefined);
      }
    }
    await this.#endBy('SIGTERM');
    endProcessesOf(this.folder);
    await unmountBelow(this.folder);
    await rm(this.folder, { recursive: true, force: true });
    if (this.#bridge !== '') await run('ip', ['link', 'del', this.#bridge]);
    this.#bridge = '';
  }

  async #answers(): Promise<boolean> {
    return this.docker.ping().then(
      () => true,
      () => false,
    );
  }

  async #endBy(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const late = systemClock.after(downMs, () => child.kill('SIGKILL'));
    await ended;
    late.cancel();
  }
}

/** A running engine; whoever asks for it stops it. */
export async function startEngine(options: EngineOptions = {}): Promise<TestEngine> {
  const engine = new TestEngine(await mkdtemp(join(tmpdir(), 'sluice-engine-')), options);
  try {
    await engine.start();
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return engine;
}

/** A bridge with a network that nobody else has. */
async function addBridge(): Promise<string> {
  const name = `slt${systemRandom.secret(4)}`;
  const random = systemRandom.uint32();
  const network = `10.${200 + (random % 50)}.${(random >>> 8) % 256}`;
  // An address of its own: a bridge without one takes that of a container, and another one when
  // that has gone. The others then send their answers to nobody, for seconds or minutes.
  const own = [24, 16, 8, 0].map((shift) =>
    ((random >>> shift) & 255).toString(16).padStart(2, '0'),
  );
  const address = `02:42:${own.join(':')}`;
  await run('ip', ['link', 'add', name, 'address', address, 'type', 'bridge']);
  await run('ip', ['addr', 'add', `${network}.1/24`, 'dev', name]);
  await run('ip', ['link', 'set', name, 'up']);
  return name;
}

/** What holds containers when an engine was killed names its folder; containers are below it. */
function endProcessesOf(folder: string): void {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const holders = all.filter((pid) => readProc(pid, 'cmdline').includes(`${folder}/`));
  const held = all.filter((pid) => {
    const [, parent] = readProc(pid, 'stat')
      .replace(/^.*\) /, '')
      .split(' ');
    return parent !== undefined && holders.includes(parent);
  });
  for (const pid of [...held, ...holders]) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

async function unmountBelow(folder: string): Promise<void> {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const below = mounts
    .map((line) => line.split(' ')[1] ?? '')
    .filter((at) => at.startsWith(folder));
  for (const at of below.reverse()) await run('umount', ['-l', at]).catch(() => undefined);
}

export function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(delayMs, resolve);
  });
}
