// The crash harness as users run it: its quick version finds nothing that is lost or duplicated,
// and Ctrl-C leaves nothing behind.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comesTrue } from '../../../chaos/pause.ts';
import type { Outcome } from '../../../chaos/scenario.ts';
import { scenarios } from '../../../chaos/scenarios.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-chaos-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function startChaos(...args: readonly string[]): ChildProcess {
  const program = ['--conditions=source', '--import', 'tsx', 'chaos/main.ts', ...args];
  return spawn(process.execPath, program, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
}

describe('npm run chaos -- --quick', () => {
  let outcomes: readonly Outcome[] = [];
  let said = '';

  beforeAll(async () => {
    const file = join(folder, 'outcomes.json');
    const chaos = startChaos('--quick', '--json', file);
    chaos.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const [code] = await once(chaos, 'close');
    const document = JSON.parse(readFileSync(file, 'utf8'));
    outcomes = document.scenarios;
    expect({ code, ok: document.ok }, said).toEqual({ code: 0, ok: true });
  }, 240_000);

  it.each(scenarios)('loses and duplicates nothing: $name, $about', ({ name }) => {
    const outcome = outcomes.find((each) => each.name === name);
    // A machine without what it needs says so in one line.
    if (outcome?.notRun !== undefined) {
      expect(said).toContain(`${name}: not run, ${outcome.notRun}`);
      return;
    }
    expect(outcome).toMatchObject({ lost: 0, duplicated: 0, waiting: 0, problems: [] });
    const { accepted = 0, results = 0, deleted = 0, dead = 0 } = outcome ?? {};
    expect(accepted).toBeGreaterThan(10);
    // Only there some requests ask their model to fail.
    if (name !== 'requests') expect(dead).toBe(0);
    expect(results + deleted + dead).toBe(accepted);
  });
});

it('ends by Ctrl-C and leaves neither server nor folder behind', async () => {
  const chaos = startChaos('--only', 'kill-workers');
  const closed = once(chaos, 'close');
  let servers: readonly number[] = [];
  expect(
    await comesTrue(() => {
      servers = childrenOf(chaos.pid ?? 0);
      return servers.some((pid) => existsSync(join(workFolderOf(pid), 'server', 'queue')));
    }, 30_000),
  ).toBe(true);
  const folders = servers.map(workFolderOf);
  chaos.kill('SIGINT');
  expect(await closed).toEqual([130, null]);
  expect(servers.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  expect(folders.filter((each) => each.includes('chaos-kill-workers-'))).not.toEqual([]);
  expect(folders.filter((each) => existsSync(each) && each !== root)).toEqual([]);
});

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function workFolderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
