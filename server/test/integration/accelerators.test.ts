// How busy accelerators are, asked of a tool that answers as nvidia-smi does: there is none here.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { queryAccelerators, queryUtilization } from '../../src/instances/host/accelerators.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { meanByInstance } from '../../src/platform/scaling.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The environment of a server that finds such a tool. */
function tool(script: string): { environment: { PATH: string }; clock: typeof systemClock } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-gpu-'));
  folders.push(folder);
  writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'nvidia-smi'), 0o755);
  return { environment: { PATH: `${folder}:${process.env.PATH}` }, clock: systemClock };
}

test('reads the utilization of each accelerator, and leaves out what is not told', async () => {
  const options = tool(`case "$1" in
    --query-gpu=index,utilization.gpu) printf '0, 37 %%\\n1, [N/A]\\n2, 100 %%\\n' ;;
    --query-gpu=index,uuid) printf '0, GPU-a\\n1, GPU-b\\n2, GPU-c\\n' ;;
  esac`);
  expect(await queryAccelerators(options)).toEqual([0, 1, 2]);
  const percents = await queryUtilization(options);
  expect([...percents]).toEqual([
    [0, 37],
    [2, 100],
  ]);
  const devices = new Map([
    ['both', [0, 2]],
    ['half known', [0, 1]],
    ['none', []],
  ]);
  expect([...meanByInstance(devices, percents)]).toEqual([['both', 68.5]]);
});

test('knows nothing without the tool, or with one that fails', async () => {
  const nowhere = { environment: { PATH: '/nowhere' }, clock: systemClock };
  expect((await queryUtilization(nowhere)).size).toBe(0);
  expect((await queryUtilization(tool('echo "0, 50 %"; exit 9'))).size).toBe(0);
});
