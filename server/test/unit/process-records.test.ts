// The files in which a server remembers its processes.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type ProcessRecord, ProcessRecords } from '../../src/instances/process-records.ts';
import { silentLog } from '../../src/kernel/log.ts';

const record: ProcessRecord = {
  ...{ service: 'reader', instance: 'reader-aaaaa', pid: 7, startTicks: '1', bootId: 'x', port: 1 },
  launch: { number: 1, key: '1.1', revision: 1, startedAt: 5, devices: [], uses: ['/models/a'] },
};

it('takes away what a killed server was about to write, keeps what it cannot read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-records-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const records = new ProcessRecords(folder);
  await records.save(record);
  await writeFile(join(folder, 'reader-bbbbb.json.new'), '{"form');
  await writeFile(join(folder, 'reader-ccccc.json'), '{"form');
  expect(await records.list(silentLog)).toEqual([record]);
  expect((await readdir(folder)).sort()).toEqual(['reader-aaaaa.json', 'reader-ccccc.json']);
});
