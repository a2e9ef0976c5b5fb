// Proves that the benchmark beside other queues works and leaves nothing: a short run with one peer
// of each server, and one that is interrupted in the middle. It installs what it needs, as the
// benchmark does.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../tidy/sources.ts';

const names = ['sluice', 'redis-streams-always', 'postgres', 'jetstream-always'] as const;
const folder = mkdtempSync(join(tmpdir(), 'sluice-peers-'));
// PostgreSQL runs as a user of its own, who must be able to reach its data.
chmodSync(folder, 0o711);
const json = join(folder, 'figures.json');

interface Figures {
  readonly peers: readonly { readonly name: string; readonly value: number | null }[];
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
  process.stdout.write(`${what}: yes\n`);
}

/** Runs the benchmark; `seen` is given what it has written so far. */
async function bench(
  args: readonly string[],
  seen: (text: string, pid: number) => void,
): Promise<number | null> {
  const flags = [join(root, 'scripts/bench.js'), '--peers', '--quick', '--seconds', '3'];
  const only = ['--scenario', 'take', '--only', names.join(','), '--folder', folder];
  const child = spawn(process.execPath, [...flags, ...only, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    process.stdout.write(chunk);
    text += chunk;
    seen(text, child.pid ?? 0);
  });
  const [code]: (number | null)[] = await once(child, 'exit');
  return code ?? null;
}

/** Command lines of processes that have something to do with the folder of the run. */
function leftBehind(): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(folder) ? [line] : [];
      } catch {
        // It has ended since.
        return [];
      }
    });
}

try {
  check((await bench(['--json', json], () => undefined)) === 0, 'a short run ends well');
  const { peers }: Figures = JSON.parse(readFileSync(json, 'utf8'));
  const measured = peers.filter(({ value }) => value !== null && value > 0);
  check(measured.length === names.length, 'every peer has a figure');
  rmSync(json);

  let isSent = false;
  const code = await bench([], (text, pid) => {
    if (isSent || !text.includes('warming, postgres')) return;
    isSent = true;
    // As Ctrl-C: to all of them at once.
    process.kill(-pid, 'SIGINT');
  });
  check(isSent && code === 130, 'an interrupted run ends at once');
  check(leftBehind().length === 0, 'no process is left');
  check(readdirSync(folder).length === 0, 'no data are left');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
