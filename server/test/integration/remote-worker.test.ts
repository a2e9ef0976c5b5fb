// The example of a worker on another machine, as its page tells it: another network namespace, a
// link that is cut in the midst of a page. Whatever becomes of it, no namespace is left.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { program } from './cli-process.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const canMakeNamespaces = process.platform === 'linux' && process.getuid?.() === 0;

let child: ChildProcess | undefined;
afterEach(() => {
  if (child?.pid === undefined) return;
  const space = `sluice-${child.pid}`;
  if (!namespaces().includes(space)) return;
  execFileSync('sh', ['-c', `ip netns pids ${space} | xargs -r kill -9; ip netns delete ${space}`]);
  throw new Error(`${space} was left behind`);
});

function namespaces(): string {
  try {
    return execFileSync('ip', ['netns'], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

it.skipIf(!canMakeNamespaces)(
  'works through a network namespace, and through a cut of its link, as its page says',
  async () => {
    const node = [process.execPath, ...program()].join(' ');
    const { PATH = '' } = process.env;
    child = spawn('examples/remote-worker/run.sh', [], {
      cwd: root,
      env: { PATH, SLUICE: node, PORT: '8600' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let told = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      told += text;
    });
    const [code] = await once(child, 'close');
    expect(code, `${output}\n${told}`).toBe(0);
    expect(output).toMatch(/\| reader-gpu-box \|.*\| gpu-box +\|.*\| Running \|/);
    const page = readFileSync(`${root}examples/remote-worker/README.md`, 'utf8');
    const [, expected = 'no output is given'] = /```\n([^`]*)```/.exec(page) ?? [];
    const lines = output.split('\n').filter((line) => !/^[+|]/.test(line));
    expect(lines.join('\n')).toBe(expected);
  },
  120_000,
);
