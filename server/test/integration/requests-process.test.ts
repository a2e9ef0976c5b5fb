// Requests and the processes that work on them, on a whole server: a cancel ends an instance that
// does not let go, and a dead request shows what its instance wrote last.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, type DeadInfo, type InstanceInfo, RequestClient } from '@sluice/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';
import { modelScript } from './process-world.ts';

const token = 'the-admin-token-of-the-process-test';
const name = 'voice';
const graceMs = 200;
let folder: string;
let platform: Platform;
let admin: AdminClient;
let requests: RequestClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-process-'));
  const environment = { HOME: folder, PATH: process.env.PATH ?? '', SLUICE_ADMIN_TOKEN: token };
  const flags = { data: join(folder, 'data'), listen: '127.0.0.1:0', engine: 'memory' };
  const config = loadConfig({ flags, environment, file: undefined });
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, environment };
  platform = new Platform(config, parts);
  await platform.start();
  admin = new AdminClient({ url: platform.url, token });
  requests = new RequestClient({ url: platform.url, service: name, token });
  await admin.createService({
    metadata: { name, type: 'Async', instance: 1, rpc: { worker_threads: 1 } },
    containers: [{ command: `${process.execPath} ${modelScript}` }],
    queue: { max_delivery: 1 },
    requests: { cancel: { grace: `${graceMs}ms`, end_instance: true } },
  });
});
afterAll(async () => {
  await platform.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function instance(): Promise<InstanceInfo | undefined> {
  return (await admin.instances(name))[0];
}

test('a cancel ends an instance whose model does not let go, and says when that was', async () => {
  const { id } = await requests.submit('hold');
  await expect.poll(async () => (await requests.status(id)).state).toBe('running');
  const before = await instance();
  expect(before?.pid).toBeGreaterThan(0);
  const canceled = await requests.cancel(id);
  expect(canceled).toMatchObject({ state: 'canceled', cancel: { unconfirmed: true } });
  await expect.poll(async () => (await requests.status(id)).cancel?.unconfirmed).toBe(false);
  const { cancel } = await requests.status(id);
  expect(cancel?.wastedMs).toBeGreaterThanOrEqual(graceMs - 1);
  expect(() => process.kill(before?.pid ?? 0, 0)).toThrow('ESRCH');
  // Another process has taken its place, and works.
  const pid = await (await requests.run('pid')).text();
  expect(pid).not.toBe(String(before?.pid));
  expect(await instance()).toMatchObject({ pid: Number(pid) });
});

test('a dead request shows what its instance wrote last', async () => {
  const { id } = await requests.submit('tell and crash');
  await expect.poll(async () => (await requests.status(id)).state).toBe('dead');
  const dead: DeadInfo | undefined = (await requests.dead.list().next()).value;
  expect(dead).toMatchObject({ id });
  const { log, outcomes } = await requests.dead.look(dead?.rearIndex ?? 0);
  expect(outcomes).toMatchObject([{ code: 'InstanceDied', revision: 1 }]);
  expect(log).toContain('these are my last words');
  expect(log.length).toBeLessThanOrEqual(20);
});
